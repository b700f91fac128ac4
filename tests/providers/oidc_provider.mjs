// An OpenID provider on loopback for tests: client_credentials, JWT access tokens, keys that can be rotated.
// Prints its issuer as one line of JSON. `POST /-/keys` with {"sign": n, "publish": [n, …]} changes its keys.
// With `fresh`, its answers to GET may be kept for so many seconds.
import { createServer } from 'node:http';
import { generateKeyPairSync } from 'node:crypto';
import Provider from 'oidc-provider';

const [, , audience, algorithm = 'ES256', lifetime = '120', fresh = ''] = process.argv;
const kinds = { ES256: ['ec', { namedCurve: 'P-256' }], RS256: ['rsa', { modulusLength: 2048 }] };

const made = [];
function key(number) {
  made[number] ??= {
    ...generateKeyPairSync(...kinds[algorithm]).privateKey.export({ format: 'jwk' }),
    kid: `${algorithm.toLowerCase()}-${number}`,
    alg: algorithm,
    use: 'sig',
  };
  return made[number];
}

function provider(issuer, numbers) {
  return new Provider(issuer, {
    jwks: { keys: numbers.map(key) },
    clients: [{
      client_id: 'nightly',
      client_secret: 'a-secret-of-the-test-alone',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      token_endpoint_auth_method: 'client_secret_basic',
      id_token_signed_response_alg: algorithm,
    }],
    scopes: ['tickets:read', 'tickets:write'],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        useGrantedResource: () => true,
        getResourceServerInfo: (_, resource) => ({
          scope: 'tickets:read tickets:write',
          audience: resource,
          accessTokenFormat: 'jwt',
          accessTokenTTL: Number(lifetime),
          jwt: { sign: { alg: algorithm } },
        }),
      },
    },
  });
}

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  let answer = provider(issuer, [0]).callback();
  server.on('request', (request, response) => {
    if (fresh && request.method === 'GET') response.setHeader('cache-control', `public, max-age=${fresh}`);
    if (request.method !== 'POST' || request.url !== '/-/keys') return answer(request, response);
    let body = '';
    request.on('data', (part) => { body += part; });
    request.on('end', () => {
      const { sign, publish } = JSON.parse(body);
      // It signs with the first key that fits.
      answer = provider(issuer, [sign, ...publish.filter((number) => number !== sign)]).callback();
      response.writeHead(204).end();
    });
    return undefined;
  });
  console.log(JSON.stringify({ issuer }));
});
process.stdin.on('end', () => process.exit(0)).resume(); // it ends with whoever started it
