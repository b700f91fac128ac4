package main

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const writableByOthers = 0o022

// checkTarget refuses every target but a Unix socket in a directory of ours and TCP on the loopback interface: whoever
// listens there receives the token.
func checkTarget(target string) error {
	if path, unix := strings.CutPrefix(target, "unix:"); unix {
		return checkDirectory(filepath.Dir(strings.TrimPrefix(path, "//")))
	}
	host, _, err := net.SplitHostPort(target)
	if err != nil || !loopback(host) {
		return fmt.Errorf("target is `%s`, expected unix:PATH or a loopback HOST:PORT; elsewhere the token needs TLS", target)
	}
	return nil
}

func loopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && address.IsLoopback())
}

// checkDirectory refuses a directory where somebody else could put a socket of their own.
func checkDirectory(path string) error {
	found, err := os.Stat(path)
	if err != nil {
		return err
	}
	owner, known := found.Sys().(*syscall.Stat_t)
	if !known || (int(owner.Uid) != os.Getuid() && owner.Uid != 0) {
		return fmt.Errorf("`%s` belongs to another user, expected the socket in a directory of ours or of root", path)
	}
	if found.Mode().Perm()&writableByOthers != 0 {
		return fmt.Errorf("`%s` can be written by other users; make its mode 0700", path)
	}
	return nil
}
