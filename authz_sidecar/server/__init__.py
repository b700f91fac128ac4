"""The gRPC door: translates in, asks one question, translates out."""
