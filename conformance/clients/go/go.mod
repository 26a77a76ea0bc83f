module fanfare.example/client

go 1.25

require (
	fanfare.example/server v0.0.0
	github.com/coder/websocket v1.8.15
	google.golang.org/protobuf v1.36.12
)

// The generated code of fanfare.v1 is that of the server beside this client.
replace fanfare.example/server => ../../servers/go
