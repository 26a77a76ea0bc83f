package main

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	conformance "fanfare.example/client/gen/fanfare/conformance/v1alpha"
	"google.golang.org/protobuf/proto"
)

func TestMessagesComeBackWithTheirLengths(t *testing.T) {
	var stream bytes.Buffer
	sent := []*report{
		{},
		{Report: &conformance.ClientReport_Done{Done: &conformance.Done{Id: 300}}},
		{Report: &conformance.ClientReport_Ready{Ready: &conformance.Ready{Client: string(make([]byte, 70_000))}}},
	}
	for _, one := range sent {
		if err := writeMessage(&stream, one); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.HasPrefix(stream.Bytes(), []byte{0, 0, 0, 0, 0, 0, 0}) {
		t.Errorf("an empty message is a length of 0: % x", stream.Bytes()[:8])
	}
	in := iotest.OneByteReader(&stream)
	for _, want := range sent {
		got := new(report)
		if err := readMessage(in, got); err != nil || !proto.Equal(got, want) {
			t.Fatalf("%v, %v", got, err)
		}
	}
	if err := readMessage(in, new(report)); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}

func TestStreamsThatAreNone(t *testing.T) {
	for name, stream := range map[string]string{
		"a length cut short":  "\x00\x00",
		"a message cut short": "\x00\x00\x00\x05\x08",
		"text":                "hello, I am no adapter",
		"no Protobuf":         "\x00\x00\x00\x01\xff",
	} {
		err := readMessage(bytes.NewReader([]byte(stream)), new(report))
		if err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
