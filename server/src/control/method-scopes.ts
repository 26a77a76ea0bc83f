import { Scope } from "@fanfare/proto/config/v1";
import type { ControlService } from "@fanfare/proto/control/v1";

/** The scope that each method needs, as the comments of `control_service.proto` say. The type makes it complete. */
export const methodScopes: Readonly<Record<keyof typeof ControlService.method, Scope>> = {
  publish: Scope.PUBLISH,
  callPlayer: Scope.PUBLISH,
  joinGroup: Scope.GROUPS,
  leaveGroup: Scope.GROUPS,
  listMemberships: Scope.READ,
  listMembers: Scope.READ,
  listGroups: Scope.READ,
  getPresence: Scope.READ,
  getHistory: Scope.READ,
  listSessions: Scope.READ,
  listNodes: Scope.READ,
  listNamespaces: Scope.READ,
  watchEvents: Scope.READ,
  deleteMessage: Scope.MESSAGES,
  clearChannel: Scope.MESSAGES,
  disconnect: Scope.PLAYERS,
  ban: Scope.PLAYERS,
  unban: Scope.PLAYERS,
  revokeTokens: Scope.PLAYERS,
  erasePlayer: Scope.PLAYERS,
  drain: Scope.ADMIN,
  rebalance: Scope.ADMIN,
  putNamespace: Scope.ADMIN,
  deleteNamespace: Scope.ADMIN,
};
