package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// maxLine bounds one event, so that a file that is no journal is not read into memory whole.
const maxLine = 1 << 20

// ReadFile reads the journal at path: see Read.
func ReadFile(path string) (events []Event, torn string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, "", fmt.Errorf("open journal: %w", err)
	}
	defer f.Close()
	if events, torn, err = Read(f); err != nil {
		err = fmt.Errorf("read %s: %w", path, err)
	}
	return events, torn, err
}

// Read reads all events. A last line without its end was cut by a crash: it is left out, and torn says so in words. Any
// other line that is no event is an error that names it; the events before it are returned too. Kinds that this tmctl
// does not know are kept: a later one may have written them.
func Read(in io.Reader) (events []Event, torn string, err error) {
	r := bufio.NewReaderSize(in, 64<<10)
	for n := 1; ; n++ {
		line, err := readLine(r)
		if errors.Is(err, io.EOF) {
			if len(line) > 0 {
				torn = fmt.Sprintf("the journal ends in the middle of event %d: its %d bytes are left out", n, len(line))
			}
			return events, torn, nil
		}
		if err != nil {
			return events, "", fmt.Errorf("journal line %d: %w", n, err)
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var e Event
		if err := json.Unmarshal(line, &e); err != nil {
			return events, "", fmt.Errorf("journal line %d: %w", n, err)
		}
		events = append(events, e)
	}
}

// readLine reads up to and with the next newline.
func readLine(r *bufio.Reader) (line []byte, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if line = append(line, part...); len(line) > maxLine {
			return line, fmt.Errorf("it is longer than %d bytes", maxLine)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}
