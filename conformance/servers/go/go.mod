module fanfare.example/server

go 1.25

require (
	github.com/coder/websocket v1.8.15
	google.golang.org/protobuf v1.36.12
	sigs.k8s.io/yaml v1.6.0
)

require go.yaml.in/yaml/v2 v2.4.2 // indirect

tool google.golang.org/protobuf/cmd/protoc-gen-go
