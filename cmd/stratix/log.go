package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/stratix-gateway/stratix/core/gateway"
	corejournal "github.com/stratix-gateway/stratix/core/journal"
)

type logCmd struct {
	List   logListCmd   `cmd:"" help:"List the segments of the log, and what is in them."`
	Show   logShowCmd   `cmd:"" help:"Print the records of the log, one a line, oldest first."`
	Verify logVerifyCmd `cmd:"" help:"Read the whole log and name what is damaged."`
}

// Help is shown by stratix log --help.
func (logCmd) Help() string {
	return `Reads the log of a data folder: the messages that stages keep on disk, and what became of them. It changes and locks
nothing, so a gateway may be running on the folder.

Examples:
  stratix log list
  stratix log show --client desk-1 --pending
  stratix log verify --data /var/lib/stratix`
}

// logFolder is the flag that all commands of the log have.
type logFolder struct {
	Data string `help:"Data folder of a gateway (${default})." default:"data" env:"STRATIX_DATA"`
}

// scanTries is how often the log is read anew when a gateway has let go of a
// segment meanwhile.
const scanTries = 5

// scan reads the whole log. begin is called before each reading, of which there
// are more when a running gateway deletes a segment under the first: what the
// ones before found does not count. f is as for journal.Scan.
func (d logFolder) scan(begin func(), f func(corejournal.Entry) error) (corejournal.Report, error) {
	for try := 1; ; try++ {
		if _, err := d.segments(); err != nil {
			return corejournal.Report{}, err
		}
		begin()
		report, err := corejournal.Scan(gateway.LogDir(d.Data), corejournal.OS(), f)
		if err != nil && errors.Is(err, fs.ErrNotExist) && try < scanTries {
			continue
		}
		return report, d.explain(err)
	}
}

// segments lists the segments. A log without any is an error.
func (d logFolder) segments() ([]corejournal.Segment, error) {
	dir := gateway.LogDir(d.Data)
	for _, folder := range []string{d.Data, dir} {
		info, err := os.Stat(folder)
		switch {
		case err == nil && !info.IsDir():
			return nil, fmt.Errorf("%s is not a folder: name the data folder of a gateway with --data", folder)
		case err != nil && folder == dir && errors.Is(err, fs.ErrNotExist):
			return nil, d.empty()
		case err != nil:
			return nil, d.explain(err)
		}
	}
	for try := 1; ; try++ {
		list, err := corejournal.List(dir, corejournal.OS())
		switch {
		case err != nil && errors.Is(err, fs.ErrNotExist) && try < scanTries:
		case err != nil:
			return nil, d.explain(err)
		case len(list) == 0:
			return nil, d.empty()
		default:
			return list, nil
		}
	}
}

func (d logFolder) empty() error {
	return fmt.Errorf("there is no log in %s: name the folder that the gateway was started with (serve --data) with --data", d.Data)
}

// explain says what to do about an error of reading the log.
func (d logFolder) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: run this as the user that the gateway runs as", err)
	case errors.Is(err, fs.ErrNotExist):
		if _, e := os.Stat(d.Data); errors.Is(e, fs.ErrNotExist) {
			return fmt.Errorf("%s: no such folder: name the data folder of a gateway with --data", d.Data)
		}
		return fmt.Errorf("%w: the gateway lets segments go faster than they are read: try again", err)
	}
	return err
}
