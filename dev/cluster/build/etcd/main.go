// Command etcd is a one-member etcd for the test cluster, from the embed
// package: no peers, no durability worth its fsyncs.
package main

import (
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

func main() {
	dir := flag.String("data-dir", "", "data folder")
	listen := flag.String("listen", "http://127.0.0.1:2379", "client URL")
	peer := flag.String("peer", "http://127.0.0.1:2380", "peer URL (only this member dials it)")
	noFsync := flag.Bool("unsafe-no-fsync", true, "skip fsync: faster, and the data die with the test anyway")
	cert := flag.String("cert", "", "server certificate (https)")
	key := flag.String("key", "", "server key")
	ca := flag.String("client-ca", "", "CA that client certificates must be of")
	flag.Parse()

	c := embed.NewConfig()
	c.Name, c.Dir, c.LogLevel, c.Logger = "dev", *dir, "warn", "zap"
	c.ListenClientUrls, c.AdvertiseClientUrls = urls(*listen), urls(*listen)
	c.ListenPeerUrls, c.AdvertisePeerUrls = urls(*peer), urls(*peer)
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	c.UnsafeNoFsync = *noFsync
	c.AutoCompactionMode, c.AutoCompactionRetention = "periodic", "5m"
	c.QuotaBackendBytes = 512 << 20
	if *cert != "" {
		c.ClientTLSInfo.CertFile, c.ClientTLSInfo.KeyFile = *cert, *key
		c.ClientTLSInfo.TrustedCAFile, c.ClientTLSInfo.ClientCertAuth = *ca, *ca != ""
	}
	e, err := embed.StartEtcd(c)
	check(err)
	defer e.Close()
	select {
	case <-e.Server.ReadyNotify():
		fmt.Println("ready", *listen)
	case <-time.After(30 * time.Second):
		check(fmt.Errorf("etcd is not ready after 30 s"))
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	select {
	case <-stop:
	case err := <-e.Err():
		check(err)
	}
}

func urls(s string) []url.URL {
	u, err := url.Parse(s)
	check(err)
	return []url.URL{*u}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "etcd:", err)
		os.Exit(1)
	}
}
