// Command authz-go-client asks authz-sidecar one question: may the bearer of this token do this method on this tool?
//
//	AUTHZ_TOKEN=… authz-go-client --target unix:/run/authz/authz.sock --method tools/call --tool create_ticket
//
// It prints one line of JSON. Exit code 0: allowed; 1: denied; 2: not answered, which is a no as well.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"authz.example/client/authzv1"
)

const (
	allowed     = 0
	denied      = 1
	notAnswered = 2
)

// question is what the command line asks.
type question struct {
	target  string
	timeout time.Duration
	request *authzv1.CheckRequest
}

// answer is what the program prints.
type answer struct {
	Allowed        bool   `json:"allowed"`
	Reason         string `json:"reason"`
	Message        string `json:"message"`
	DecisionID     string `json:"decision_id"`
	PolicyRevision string `json:"policy_revision"`
	Error          string `json:"error,omitempty"`
}

func main() {
	os.Exit(run(os.Args[1:], os.Stdout))
}

func run(args []string, out io.Writer) int {
	asked, err := parse(args)
	if err != nil {
		return fail(out, "NOT_ASKED", err.Error())
	}
	response, err := ask(asked)
	if err != nil {
		return fail(out, name(status.Code(err)), status.Convert(err).Message())
	}
	said := answer{
		Allowed:        response.GetAllowed(),
		Reason:         response.GetReason().String(),
		Message:        response.GetMessage(),
		DecisionID:     response.GetDecisionId(),
		PolicyRevision: response.GetPolicyRevision(),
	}
	switch err := tell(out, said); {
	case err != nil:
		return notAnswered
	case said.Allowed:
		return allowed
	default:
		return denied
	}
}

func parse(args []string) (question, error) {
	flags := flag.NewFlagSet("authz-go-client", flag.ContinueOnError)
	target := flags.String("target", "", "unix:PATH or a loopback HOST:PORT")
	method := flags.String("method", "", "the MCP method, for example tools/call")
	tool := flags.String("tool", "", "what the method acts on")
	server := flags.String("server", "", "the MCP server; empty means the only configured one")
	timeout := flags.Int("timeout-ms", 1000, "how long to wait, from 1 to 60000")
	tokenFile := flags.String("token-file", "", "a file with the token, instead of AUTHZ_TOKEN")
	if err := flags.Parse(args); err != nil {
		return question{}, err
	}
	switch {
	case flags.NArg() > 0:
		return question{}, fmt.Errorf("unexpected argument `%s`", flags.Arg(0))
	case *target == "":
		return question{}, errors.New("--target is missing")
	case *method == "":
		return question{}, errors.New("--method is missing")
	case *timeout < 1 || *timeout > 60000:
		return question{}, fmt.Errorf("--timeout-ms is `%d`, expected a whole number from 1 to 60000", *timeout)
	}
	token, err := readToken(*tokenFile)
	if err != nil {
		return question{}, err
	}
	return question{
		target:  *target,
		timeout: time.Duration(*timeout) * time.Millisecond,
		request: &authzv1.CheckRequest{Token: token, Method: *method, Tool: *tool, Server: *server},
	}, checkTarget(*target)
}

// readToken takes no argument of the command line: everybody on the machine can read those.
func readToken(file string) (string, error) {
	text := os.Getenv("AUTHZ_TOKEN")
	if file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		text = string(data)
	}
	if text = strings.TrimSpace(text); text == "" {
		return "", errors.New("no token: set AUTHZ_TOKEN or give --token-file")
	}
	return text, nil
}

func ask(asked question) (*authzv1.CheckResponse, error) {
	connection, err := grpc.NewClient(
		asked.target,
		grpc.WithTransportCredentials(insecure.NewCredentials()), // checkTarget saw that nobody else is on this path
		grpc.WithNoProxy(),              // a proxy would see the token
		grpc.WithDisableRetry(),         // each try is a decision in the log
		grpc.WithDisableServiceConfig(), // nothing but this program says how it calls
	)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	// The deadline also bounds the time to connect.
	ctx, cancel := context.WithTimeout(context.Background(), asked.timeout)
	defer cancel()
	return authzv1.NewAuthorizationServiceClient(connection).Check(ctx, asked.request)
}

// fail prints why there is no answer; `allowed` is false, so that a reader of the JSON alone fails closed too.
func fail(out io.Writer, code, message string) int {
	_ = tell(out, answer{Reason: authzv1.Reason_REASON_UNSPECIFIED.String(), Message: message, Error: code})
	return notAnswered
}

func tell(out io.Writer, said answer) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(said)
}

// name spells a status as the gRPC specification does, for example DEADLINE_EXCEEDED.
func name(status codes.Code) string {
	return code.Code(status).String()
}
