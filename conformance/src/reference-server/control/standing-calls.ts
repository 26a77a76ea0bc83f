import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ChannelRules } from "@fanfare/proto/config/v1";
import type {
  DeleteNamespaceRequest,
  DrainRequest,
  JoinGroupRequest,
  LeaveGroupRequest,
  ListNamespacesResponseSchema,
  PutNamespaceRequest,
} from "@fanfare/proto/control/v1";
import type { App } from "../app.ts";
import type { ReferenceServer } from "../server.ts";
import { joined, left, namespaceChanged } from "../standing.ts";

/** A player becomes a member. */
export function joinGroup(app: App, { group, playerId }: JoinGroupRequest): { changed: boolean } {
  const changed = app.members.add(group, playerId);
  if (changed) joined(app, playerId);
  return { changed };
}

/** A player is a member no more. */
export function leaveGroup(app: App, { group, playerId }: LeaveGroupRequest): { changed: boolean } {
  const changed = app.members.remove(group, playerId);
  if (changed) left(app, playerId, group);
  return { changed };
}

/** All namespaces. */
export function listNamespaces(app: App): MessageInitShape<typeof ListNamespacesResponseSchema> {
  return { namespaces: [...app.namespaces].map(([name, rules]) => ({ name, rules })) };
}

/** A namespace gets rules. */
export function putNamespace(app: App, { namespace }: PutNamespaceRequest): { created: boolean } {
  const name = namespace?.name ?? "";
  const created = !app.namespaces.has(name);
  app.namespaces.set(name, namespace?.rules as ChannelRules);
  namespaceChanged(app, name);
  return { created };
}

/** A namespace goes. */
export function deleteNamespace(app: App, { name }: DeleteNamespaceRequest): { changed: boolean } {
  const changed = app.namespaces.delete(name);
  if (changed) namespaceChanged(app, name);
  return { changed };
}

/** The server goes away. */
export function drain(_app: App, request: DrainRequest, server: ReferenceServer): { sessions: number } {
  return { sessions: server.drain(request) };
}
