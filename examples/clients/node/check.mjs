// Asks authz-sidecar one question: may the bearer of this token do this method on this tool?
//
//   AUTHZ_TOKEN=… node check.mjs --target unix:/run/authz/authz.sock --method tools/call --tool create_ticket
//
// Prints one line of JSON. Exit code 0: allowed; 1: denied; 2: not answered, which is a no as well.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { checkTarget } from "./target.mjs";

const ALLOWED = 0;
const DENIED = 1;
const NOT_ANSWERED = 2;
const PROTO = fileURLToPath(new URL("../../../proto", import.meta.url));

function options() {
  const { values } = parseArgs({
    options: {
      target: { type: "string" },
      method: { type: "string" },
      tool: { type: "string", default: "" },
      server: { type: "string", default: "" },
      "timeout-ms": { type: "string", default: "1000" },
      "token-file": { type: "string" },
    },
  });
  for (const name of ["target", "method"]) {
    if (!values[name]) throw new Error(`--${name} is missing`);
  }
  const timeout = /^\d{1,5}$/.test(values["timeout-ms"]) ? Number(values["timeout-ms"]) : 0;
  if (timeout < 1 || timeout > 60000) {
    throw new Error(`--timeout-ms is \`${values["timeout-ms"]}\`, expected a whole number from 1 to 60000`);
  }
  return { ...values, timeout, token: readToken(values["token-file"]) };
}

// Never an argument: everybody on the machine can read those.
function readToken(file) {
  const token = (file ? readFileSync(file, "utf8") : (process.env.AUTHZ_TOKEN ?? "")).trim();
  if (!token) throw new Error("no token: set AUTHZ_TOKEN or give --token-file");
  return token;
}

function connect(target) {
  const definition = loadSync("authz/v1/authz.proto", {
    includeDirs: [PROTO],
    keepCase: true, // names as in the .proto
    enums: String,
    longs: String,
    defaults: true, // what is not on the wire reads as false, "" and zero
  });
  const { AuthorizationService } = grpc.loadPackageDefinition(definition).authz.v1;
  return new AuthorizationService(target, grpc.credentials.createInsecure(), {
    "grpc.enable_http_proxy": 0, // a proxy would see the token
    "grpc.enable_retries": 0, // each try is a decision in the log
  });
}

function ask(client, { token, method, tool, server, timeout }) {
  const deadline = Date.now() + timeout; // also bounds the time to connect
  return new Promise((resolve, reject) => {
    client.Check({ token, method, tool, server }, { deadline }, (error, answer) => {
      if (error) reject(error);
      else resolve(answer);
    });
  });
}

// Only `true` allows. A reason that this .proto does not know yet stays a number.
function report(answer, error = undefined) {
  const allowed = answer.allowed === true;
  const { reason = "REASON_UNSPECIFIED", message = "", decision_id = "", policy_revision = "" } = answer;
  console.log(JSON.stringify({ allowed, reason: String(reason), message, decision_id, policy_revision, error }));
  return allowed ? ALLOWED : DENIED;
}

async function main() {
  let client;
  try {
    const asked = options();
    checkTarget(asked.target);
    client = connect(asked.target);
    process.exitCode = report(await ask(client, asked));
  } catch (error) {
    // No answer is a no. `code` is a gRPC status, or nothing when we did not even ask.
    const status = grpc.status[error.code] ?? "NOT_ASKED";
    report({ message: error.details || error.message }, status);
    process.exitCode = NOT_ANSWERED;
  } finally {
    client?.close();
  }
}

process.exitCode = NOT_ANSWERED; // until somebody says better
await main();
