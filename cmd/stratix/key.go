package main

import (
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/stratix-gateway/stratix/core/apikey"
)

type keyCmd struct {
	New    keyNewCmd    `cmd:"" help:"Make a key, and print it once."`
	List   keyListCmd   `cmd:"" help:"List the keys by their names."`
	Revoke keyRevokeCmd `cmd:"" help:"Revoke a key."`
}

// Help is shown by stratix key --help.
func (keyCmd) Help() string {
	return `A key lets a program use the HTTP API under /v1: Authorization: Bearer sk_... . The file of keys holds their hashes only,
for its owner alone (mode 0600). A gateway that runs with --keys FILE looks at the file once a second.

Examples:
  stratix key new --name ci --scope publish,read
  stratix key list
  stratix key revoke ci`
}

// keysFlag is the flag of every command about keys.
type keysFlag struct {
	Keys string `help:"File of keys (${default})." default:"keys" placeholder:"FILE" env:"STRATIX_KEYS"`
}

type keyNewCmd struct {
	keysFlag
	Name   string `help:"What the key is called: letters, digits and ._-" required:""`
	Scope  string `help:"What it is good for: publish, read, admin, or several with commas." required:""`
	Sender string `help:"ClientID that what is published with it comes from; by default its name." placeholder:"ID"`
}

// Help is shown by stratix key new --help.
func (keyNewCmd) Help() string {
	return `Prints the key on the standard output, once: it is kept nowhere. Its hash is added to the file, which is made if it is not there.

Scopes: publish sends messages. read shows clients, groups, what waits (without what is in it), decisions and states.
admin does everything: also payloads, scripts, reload, rollback, disconnecting, publishing under any ClientID.

Examples:
  stratix key new --name ci --scope publish,read
  stratix key new --name ops --scope admin --keys /etc/stratix/keys
  stratix key new --name shop --scope publish --sender shop-backend > shop.key`
}

func (c *keyNewCmd) Run() error {
	scopes, err := apikey.ParseScopes(c.Scope)
	if err != nil {
		return fmt.Errorf("--scope: %w", err)
	}
	if c.Sender == "" {
		c.Sender = c.Name
	}
	k, text, err := apikey.New(c.Name, c.Sender, scopes, time.Now())
	if err != nil {
		return err
	}
	if err := apikey.Add(c.Keys, k); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "the key %s (%s), kept in %s as its hash; this is the only time that it is shown:\n", k.Name, k.Scopes, c.Keys)
	fmt.Println(text)
	return nil
}

type keyListCmd struct {
	keysFlag
}

func (c *keyListCmd) Run() error {
	all, err := apikey.Load(c.Keys)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		fmt.Printf("%s holds no key: a gateway with it refuses every request\n", c.Keys)
		return nil
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tSCOPES\tSENDER\tMADE")
	for _, k := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", k.Name, k.Scopes, k.Sender, k.Created.Format(time.RFC3339))
	}
	return w.Flush()
}

type keyRevokeCmd struct {
	keysFlag
	Name string `arg:"" help:"The key's name."`
}

func (c *keyRevokeCmd) Run() error {
	if err := apikey.Revoke(c.Keys, c.Name); err != nil {
		return err
	}
	fmt.Printf("the key %s is revoked: a gateway that runs with %s refuses it within a second\n", c.Name, c.Keys)
	return nil
}
