// A client on either generation of the MCP TypeScript SDK: lists, calls, steps up when told to, and prints what it saw.
// `node client.mjs MODE`, with the plan (`plans.py`) as JSON on standard input; MODE is `1`, `2-legacy` or `2-auto`.
import { writeFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';

const SCOPE_NEEDED = 40301;
const mode = process.argv[2];
const plan = JSON.parse(await text(process.stdin));
const seen = { alive: false, challenges: [] };
let token = plan.token;

async function stepUp(target, init = {}) {
  const send = () => {
    const headers = new Headers(init.headers);
    headers.set('authorization', `Bearer ${token}`);
    return fetch(target, { ...init, headers });
  };
  const answer = await send();
  const challenge = answer.headers.get('www-authenticate') ?? '';
  if (answer.status === 401 || answer.status === 403) seen.challenges.push(challenge);
  if (!challenge.includes('error="insufficient_scope"') || token === plan.wider) return answer;
  await answer.body?.cancel();
  token = plan.wider;
  return send();
}

async function parts() {
  if (mode === '1') {
    return {
      ...(await import('@modelcontextprotocol/sdk/client/index.js')),
      ...(await import('@modelcontextprotocol/sdk/client/streamableHttp.js')),
      ...(await import('@modelcontextprotocol/sdk/client/stdio.js')),
    };
  }
  return { ...(await import('@modelcontextprotocol/client')), ...(await import('@modelcontextprotocol/client/stdio')) };
}

async function connected() {
  const { Client, StreamableHTTPClientTransport, StdioClientTransport } = await parts();
  const options = mode === '1' ? {} : { versionNegotiation: { mode: mode.split('-')[1] } };
  const client = new Client({ name: 'matrix', version: '1' }, options);
  const transport = plan.command
    ? new StdioClientTransport({ command: plan.command, stderr: 'ignore' })
    : new StreamableHTTPClientTransport(new URL(plan.url), { fetch: stepUp });
  await client.connect(transport);
  return client;
}

async function call(client, [name, args]) {
  try {
    const result = await client.callTool({ name, arguments: args });
    return { ok: !result.isError, text: result.content.map((part) => part.text ?? '').join(' ') };
  } catch (error) {
    return { ok: false, code: error.code, text: error.message, data: error.data };
  }
}

async function stepping(client) {
  const found = await call(client, plan.calls.stepped);
  if (found.code !== SCOPE_NEEDED) return found;
  seen.challenges.push(JSON.stringify(found.data));
  if (!plan.token_file) return found;
  writeFileSync(plan.token_file, plan.wider);
  return call(client, plan.calls.stepped);
}

const watchdog = setTimeout(() => process.exit(3), 30_000);
try {
  const client = await connected();
  seen.tools = (await client.listTools()).tools.map((tool) => tool.name);
  seen.allowed = await call(client, plan.calls.allowed);
  seen.stepped = await stepping(client);
  seen.denied = await call(client, plan.calls.denied);
  seen.alive = (await call(client, plan.calls.allowed)).ok;
  await client.close();
} catch (error) {
  seen.problem = [String(error.message)];
}
clearTimeout(watchdog);
console.log(JSON.stringify(seen));
