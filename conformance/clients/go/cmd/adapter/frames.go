package main

import (
	"encoding/binary"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"
)

// mostBytes is more than any command has: a longer message is none, and something else was written to the stream.
const mostBytes = 16 << 20

// readMessage reads a message preceded by its length, a 32-bit big-endian number. At the end of the stream it fails with io.EOF.
func readMessage(from io.Reader, message proto.Message) error {
	var head [4]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return err
	}
	length := binary.BigEndian.Uint32(head[:])
	if length > mostBytes {
		return fmt.Errorf("a message of %d bytes", length)
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(from, body); err != nil {
		return fmt.Errorf("a message that ends early: %w", err)
	}
	return proto.Unmarshal(body, message)
}

// writeMessage writes a message and its length, in one write.
func writeMessage(to io.Writer, message proto.Message) error {
	body, err := proto.MarshalOptions{}.MarshalAppend(make([]byte, 4), message)
	if err != nil {
		return err
	}
	binary.BigEndian.PutUint32(body, uint32(len(body)-4))
	_, err = to.Write(body)
	return err
}
