// Says whether a token may be sent to a target: whoever listens there receives it.
import { realpathSync, statSync } from "node:fs";
import { dirname } from "node:path";

const LOOPBACK = /^(127(\.\d{1,3}){3}|localhost|\[::1\]):\d{1,5}$/;
const WRITABLE_BY_OTHERS = 0o022;

/** Throws unless the target is a Unix socket in a directory of ours, or TCP on the loopback interface. */
export function checkTarget(target) {
  if (target.startsWith("unix:")) {
    checkDirectory(dirname(target.slice("unix:".length)));
  } else if (!LOOPBACK.test(target)) {
    throw new Error(`target is \`${target}\`, expected unix:PATH or a loopback HOST:PORT; elsewhere the token needs TLS`);
  }
}

// Anybody who can write to the directory could put a socket of their own there.
function checkDirectory(path) {
  const directory = statSync(realpathSync(path));
  if (directory.uid !== process.getuid() && directory.uid !== 0) {
    throw new Error(`\`${path}\` belongs to user ${directory.uid}, expected the socket in a directory of ours or of root`);
  }
  if (directory.mode & WRITABLE_BY_OTHERS) {
    throw new Error(`\`${path}\` can be written by other users; make its mode 0700`);
  }
}
