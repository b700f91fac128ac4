// `node --import ./loopback.mjs …` keeps a server that would listen on every interface on the loopback one.
import net from 'node:net';

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (...rest) {
  const first = rest[0];
  const callback = rest.find((part) => typeof part === 'function');
  const port = typeof first === 'object' && first !== null ? first.port : first;
  return listen.call(this, { port: Number(port), host: '127.0.0.1' }, callback);
};
