// Command adapter lets the conformance suite command the client of this module: it reads ClientCommand messages from its standard input and
// writes ClientReport messages to its standard output, each preceded by its length, until its standard input ends.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	a := newAdapter(out)
	a.ready()
	commands := bufio.NewReader(in)
	for {
		command := new(command)
		if err := readMessage(commands, command); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		a.begin(command)
	}
}
