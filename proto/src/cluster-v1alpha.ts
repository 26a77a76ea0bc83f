export * from "../gen/fanfare/cluster/v1alpha/batch_pb.js";
export * from "../gen/fanfare/cluster/v1alpha/node_pb.js";
export * from "../gen/fanfare/cluster/v1alpha/presence_pb.js";
export * from "../gen/fanfare/cluster/v1alpha/record_pb.js";
export * from "../gen/fanfare/cluster/v1alpha/session_pb.js";
