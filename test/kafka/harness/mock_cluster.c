/*
 * librdkafka's mock cluster as a process, for machines without Java: it speaks the protocol, elects leaders and
 * keeps a few megabytes per partition, but it is not a Kafka; what a test may ask of it is listed in mock.ts.
 *
 *   mock_cluster BROKERS      prints "bootstrap HOST:PORT,...", then obeys lines on standard input:
 *     topic NAME PARTITIONS REPLICAS
 *     down BROKER | up BROKER          (brokers count from 1)
 *   and answers each with "ok" or "error TEXT". It ends with its standard input.
 */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { metadata_api_key = 3 };

static rd_kafka_resp_err_t obey(rd_kafka_mock_cluster_t *cluster, const char *line)
{
    char name[256];
    int first, second;

    if (sscanf(line, "topic %255s %d %d", name, &first, &second) == 3)
        return rd_kafka_mock_topic_create(cluster, name, first, second);
    if (sscanf(line, "down %d", &first) == 1)
        return rd_kafka_mock_broker_set_down(cluster, first);
    if (sscanf(line, "up %d", &first) == 1)
        return rd_kafka_mock_broker_set_up(cluster, first);
    return RD_KAFKA_RESP_ERR__INVALID_ARG;
}

int main(int argc, char **argv)
{
    char complaint[512] = "", line[512];
    rd_kafka_t *client;
    rd_kafka_mock_cluster_t *cluster;
    int brokers = argc == 2 ? atoi(argv[1]) : 0;

    if (brokers < 1) {
        fprintf(stderr, "usage: mock_cluster BROKERS\n");
        return 2;
    }
    client = rd_kafka_new(RD_KAFKA_PRODUCER, NULL, complaint, sizeof complaint);
    if (!client) {
        fprintf(stderr, "mock_cluster: %s\n", complaint);
        return 1;
    }
    cluster = rd_kafka_mock_cluster_new(client, brokers);
    if (!cluster) {
        fprintf(stderr, "mock_cluster: librdkafka gave no cluster\n");
        return 1;
    }
    /* librdkafka 2.0 (Debian 12) answers Metadata v4 rightly but names v2 as its newest, which clients refuse. */
    rd_kafka_mock_set_apiversion(cluster, metadata_api_key, 0, 4);
    printf("bootstrap %s\n", rd_kafka_mock_cluster_bootstraps(cluster));
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        rd_kafka_resp_err_t error = obey(cluster, line);
        if (error)
            printf("error %s\n", rd_kafka_err2str(error));
        else
            printf("ok\n");
        fflush(stdout);
    }
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(client);
    return 0;
}
