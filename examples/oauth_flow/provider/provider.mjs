// A foreign authorization server on the loopback: oidc-provider with its own pages, which take any name and password.
// `node provider.mjs PORT AUDIENCE`; it says `ready` when it listens.
import { generateKeyPairSync } from 'node:crypto';
import Provider from 'oidc-provider';

const [, , port, audience] = process.argv;
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const scopes = ['tickets:read', 'tickets:write'];

const provider = new Provider(`http://127.0.0.1:${port}`, {
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'demo', alg: 'ES256', use: 'sig' }] },
  scopes,
  clientDefaults: { application_type: 'native', id_token_signed_response_alg: 'ES256' },
  cookies: { keys: [crypto.randomUUID()] },
  // A person has one role here; a real provider would look it up.
  extraTokenClaims: async (_, token) => (token.accountId ? { roles: ['support'] } : {}),
  issueRefreshToken: async (_, client) => client.grantTypeAllowed('refresh_token'),
  features: {
    registration: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => audience,
      useGrantedResource: () => true,
      getResourceServerInfo: (_, resource) => ({
        scope: scopes.join(' '),
        audience: resource,
        accessTokenFormat: 'jwt',
        accessTokenTTL: 300,
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
});

// It holds clients to the scopes that they registered with, and then they could never step up.
provider.on('registration_create.success', (_, client) => {
  const { scope, ...rest } = client.metadata();
  void provider.Client.adapter.upsert(client.clientId, rest);
});

provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
