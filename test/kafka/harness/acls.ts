/**
 * Gives and takes rights, at a cluster with an authorizer, through kafkajs' admin client.
 *
 * @module
 */
import { createRequire } from "node:module";

/** The part of kafkajs in use here. */
interface KafkaJs {
  readonly logLevel: { readonly NOTHING: number };
  readonly Kafka: new (
    options: { brokers: string[]; clientId: string; logLevel: number },
  ) => { admin(): Admin };
  readonly AclResourceTypes: Readonly<Record<"TOPIC" | "CLUSTER", number>>;
  readonly AclOperationTypes: Readonly<Record<Operation, number>>;
  readonly AclPermissionTypes: { readonly ALLOW: number };
  readonly ResourcePatternTypes: { readonly LITERAL: number };
}
interface Admin {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  createAcls(options: { acl: readonly Record<string, unknown>[] }): Promise<boolean>;
  deleteAcls(options: { filters: readonly Record<string, unknown>[] }): Promise<unknown>;
}

/** What a right is for. */
export type Operation = "WRITE" | "DESCRIBE" | "IDEMPOTENT_WRITE";

const kafkajs = createRequire(import.meta.url)("kafkajs") as KafkaJs;

/** server.properties of brokers that check rights: who comes without a login may do everything. */
export const authorizerProperties: Readonly<Record<string, string>> = {
  "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
  "super.users": "User:ANONYMOUS",
  "allow.everyone.if.no.acl.found": "false",
};

/** Lets `username` do something with a topic, or takes that right away. */
export async function setRight(
  bootstrap: string,
  change: "give" | "take",
  username: string,
  operation: Operation,
  topic: string,
): Promise<void> {
  const admin = new kafkajs.Kafka({
    brokers: bootstrap.split(","),
    clientId: "corndog-test",
    logLevel: kafkajs.logLevel.NOTHING,
  }).admin();
  const acl = {
    resourceType: kafkajs.AclResourceTypes.TOPIC,
    resourceName: topic,
    resourcePatternType: kafkajs.ResourcePatternTypes.LITERAL,
    principal: `User:${username}`,
    host: "*",
    operation: kafkajs.AclOperationTypes[operation],
    permissionType: kafkajs.AclPermissionTypes.ALLOW,
  };
  await admin.connect();
  try {
    if (change === "give") await admin.createAcls({ acl: [acl] });
    else await admin.deleteAcls({ filters: [acl] });
  } finally {
    await admin.disconnect();
  }
}
