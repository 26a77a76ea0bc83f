export * from "../gen/fanfare/control/v1/control_service_pb.js";
export * from "../gen/fanfare/control/v1/operator_service_pb.js";
export * from "../gen/fanfare/control/v1/resources_pb.js";
