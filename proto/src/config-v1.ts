export * from "../gen/fanfare/config/v1/namespace_pb.js";
export * from "../gen/fanfare/config/v1/server_config_pb.js";
