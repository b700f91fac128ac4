// The OAuth client of either generation of the MCP TypeScript SDK: logs in, steps up, refreshes, and prints what it saw.
// `node oauth.mjs MODE`, with a plan as JSON on standard input (`oauth_client.py`); MODE is `1` or `2`.
import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';

const mode = process.argv[2];
const plan = JSON.parse(await text(process.stdin));
const sdk = mode === '1'
  ? {
    ...(await import('@modelcontextprotocol/sdk/client/index.js')),
    ...(await import('@modelcontextprotocol/sdk/client/streamableHttp.js')),
    ...(await import('@modelcontextprotocol/sdk/client/auth.js')),
  }
  : await import('@modelcontextprotocol/client');

let came;
const listener = createServer((request, response) => {
  came = new URL(request.url, 'http://127.0.0.1').searchParams;
  response.end('back');
});
await new Promise((done) => { listener.listen(0, '127.0.0.1', done); });

class Held {
  redirectUrl = `http://127.0.0.1:${listener.address().port}/callback`;
  clientMetadata = {
    redirect_uris: [this.redirectUrl],
    client_name: 'Matrix',
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'],
  };
  state = () => 'a-state-of-this-run';
  clientInformation = () => this.client;
  saveClientInformation(client) { this.client = client; }
  tokens = () => this.held;
  saveTokens(tokens) { this.held = tokens; }
  codeVerifier = () => this.verifier;
  saveCodeVerifier(verifier) { this.verifier = verifier; }
  async redirectToAuthorization(url) {
    const [program, ...rest] = plan.person;
    await promisify(execFile)(program, [...rest, url.href]);
  }
}

const held = new Held();
let transport;
let client;

async function connect() {
  transport = new sdk.StreamableHTTPClientTransport(new URL(plan.url), { authProvider: held });
  client = new sdk.Client({ name: 'matrix', version: '1' }, mode === '1' ? {} : { versionNegotiation: { mode: 'auto' } });
  await client.connect(transport);
}

// Does something that may need a person; afterwards the SDK wants the code and to be asked once more.
async function asked(what) {
  try {
    return await what();
  } catch (error) {
    if (!(error instanceof sdk.UnauthorizedError)) throw error;
    if (came.get('state') !== held.state()) throw new Error('another state');
    await (mode === '1' ? transport.finishAuth(came.get('code')) : transport.finishAuth(came));
    return what();
  }
}

async function call(name, args) {
  const result = await asked(() => client.callTool({ name, arguments: args }));
  return { ok: !result.isError, text: result.content.map((part) => part.text ?? '').join(' ') };
}

const watchdog = setTimeout(() => process.exit(3), 50_000);
const seen = { scopes: [] };
try {
  await asked(connect);
  seen.read = await call('list_tickets', {});
  seen.scopes.push(held.held.scope);
  seen.stepped = await call('create_ticket', plan.ticket).catch(async (error) => {
    // It refreshes before it asks anybody, gets what it had, and gives up; without a refresh token it asks.
    seen.gave_up = error.message;
    held.held = { ...held.held, refresh_token: undefined };
    await call('list_tickets', {});
    return call('create_ticket', plan.ticket);
  });
  seen.scopes.push(held.held.scope);
  const before = held.held.refresh_token;
  // It refreshes when its access token is refused, so it is given one that will be.
  held.held = { ...held.held, access_token: 'ended' };
  seen.refreshed = await call('list_tickets', {});
  seen.rotated = Boolean(held.held.refresh_token) && held.held.refresh_token !== before;
  await client.close();
} catch (error) {
  seen.problem = String(error.stack);
}
clearTimeout(watchdog);
process.stdout.write(`${JSON.stringify(seen)}\n`, () => process.exit(0));
