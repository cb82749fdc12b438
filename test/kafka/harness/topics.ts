/**
 * Creates topics, through kafkajs' admin client: kcat cannot, and Kafka's own tool would start a JVM for each.
 *
 * @module
 */
import { createRequire } from "node:module";
import { until } from "./processes.ts";

/** The part of kafkajs in use here. Its own declarations want @types/node, which this project does not have. */
interface KafkaJs {
  readonly logLevel: { readonly NOTHING: number };
  readonly Kafka: new (
    options: { brokers: string[]; clientId: string; logLevel: number },
  ) => { admin(): Admin };
}
interface Admin {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  createTopics(options: { waitForLeaders: boolean; topics: readonly NewTopic[] }): Promise<boolean>;
  fetchTopicMetadata(options: { topics: string[] }): Promise<
    { topics: readonly { partitions: readonly { leader: number }[] }[] }
  >;
  createPartitions(options: { topicPartitions: readonly { topic: string; count: number }[] }): Promise<void>;
  alterPartitionReassignments(options: {
    topics: readonly {
      topic: string;
      partitionAssignment: readonly { partition: number; replicas: readonly number[] }[];
    }[];
  }): Promise<void>;
  deleteTopics(options: { topics: string[] }): Promise<void>;
}
interface NewTopic {
  readonly topic: string;
  readonly numPartitions: number;
  readonly replicationFactor: number;
  readonly replicaAssignment?: readonly {
    readonly partition: number;
    readonly replicas: readonly number[];
  }[];
  readonly configEntries: readonly { readonly name: string; readonly value: string }[];
}

const { Kafka, logLevel } = createRequire(import.meta.url)("kafkajs") as KafkaJs;

async function asAdmin<T>(addresses: readonly string[], work: (admin: Admin) => Promise<T>): Promise<T> {
  const client = new Kafka({ brokers: [...addresses], clientId: "corndog-test", logLevel: logLevel.NOTHING });
  const admin = client.admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}

/** Creates a topic and waits until its partitions have leaders. */
export async function createTopic(
  addresses: readonly string[],
  topic: string,
  partitions: number,
  replicas: number,
  config: Readonly<Record<string, string>>,
  assignment?: readonly (readonly number[])[],
): Promise<void> {
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
  await asAdmin(addresses, async (admin) => {
    await admin.createTopics({
      waitForLeaders: true,
      topics: [
        assignment === undefined
          ? { topic, numPartitions: partitions, replicationFactor: replicas, configEntries }
          : {
            ...{ topic, numPartitions: -1, replicationFactor: -1, configEntries },
            replicaAssignment: assignment.map((ids, partition) => ({ partition, replicas: ids })),
          },
      ],
    }).catch((cause: Error & { type?: string }) => {
      // A broker was asked for the leaders that has not heard of the topic yet, as one that stood still.
      if (cause.type !== "UNKNOWN_TOPIC_OR_PARTITION") throw cause;
    });
    await until(`leaders of topic "${topic}"`, 30_000, async () => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      return topics[0]!.partitions.every(({ leader }) => leader >= 0) || undefined;
    });
  });
}

/** Raises the number of a topic's partitions to `count`. */
export async function growTopic(addresses: readonly string[], topic: string, count: number): Promise<void> {
  await asAdmin(addresses, (admin) => admin.createPartitions({ topicPartitions: [{ topic, count }] }));
}

/** Puts a partition's replicas on the brokers with these ids. */
export async function moveReplicas(
  addresses: readonly string[],
  topic: string,
  partition: number,
  replicas: readonly number[],
): Promise<void> {
  const topics = [{ topic, partitionAssignment: [{ partition, replicas }] }];
  await asAdmin(addresses, (admin) => admin.alterPartitionReassignments({ topics }));
}

/** Deletes a topic. */
export async function deleteTopic(addresses: readonly string[], topic: string): Promise<void> {
  await asAdmin(addresses, (admin) => admin.deleteTopics({ topics: [topic] }));
}
