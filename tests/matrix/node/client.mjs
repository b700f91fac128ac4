// A client on either generation of the MCP TypeScript SDK: lists, calls, steps up when told to, and prints what it saw.
// `node client.mjs URL MODE`, with `{"token": …, "wider": …}` on standard input; MODE is `1`, `2-legacy` or `2-auto`.
import { text } from 'node:stream/consumers';

const [url, mode] = process.argv.slice(2);
const tokens = JSON.parse(await text(process.stdin));
const seen = { alive: false, challenges: [], statuses: [] };

async function stepUp(target, init = {}) {
  const send = () => {
    const headers = new Headers(init.headers);
    headers.set('authorization', `Bearer ${tokens.token}`);
    return fetch(target, { ...init, headers });
  };
  let answer = await send();
  seen.statuses.push(answer.status);
  const challenge = answer.headers.get('www-authenticate') ?? '';
  if (answer.status === 401 || answer.status === 403) seen.challenges.push(challenge);
  if (challenge.includes('error="insufficient_scope"') && tokens.wider) {
    await answer.body?.cancel();
    tokens.token = tokens.wider;
    tokens.wider = '';
    answer = await send();
    seen.statuses.push(answer.status);
  }
  return answer;
}

async function connected() {
  const about = { name: 'matrix', version: '1' };
  if (mode === '1') {
    const { Client } = await import('@modelcontextprotocol/sdk/client/index.js');
    const { StreamableHTTPClientTransport } = await import('@modelcontextprotocol/sdk/client/streamableHttp.js');
    const client = new Client(about);
    await client.connect(new StreamableHTTPClientTransport(new URL(url), { fetch: stepUp }));
    return client;
  }
  const { Client, StreamableHTTPClientTransport } = await import('@modelcontextprotocol/client');
  const client = new Client(about, { versionNegotiation: { mode: mode.split('-')[1] } });
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { fetch: stepUp }));
  return client;
}

async function call(client, name, args) {
  try {
    const result = await client.callTool({ name, arguments: args });
    return { ok: !result.isError, text: result.content.map((part) => part.text ?? '').join(' ') };
  } catch (error) {
    return { ok: false, code: error.code, text: `${error.message} ${JSON.stringify(error.data ?? null)}` };
  }
}

const watchdog = setTimeout(() => process.exit(3), 30_000);
try {
  const client = await connected();
  seen.tools = (await client.listTools()).tools.map((tool) => tool.name);
  seen.echo = await call(client, 'echo', { message: 'hello' });
  seen.sum = await call(client, 'get-sum', { a: 2, b: 3 });
  seen.env = await call(client, 'get-env', {});
  seen.alive = (await call(client, 'echo', { message: 'still here' })).ok;
  await client.close();
} catch (error) {
  seen.problem = [String(error.message)];
}
clearTimeout(watchdog);
console.log(JSON.stringify(seen));
