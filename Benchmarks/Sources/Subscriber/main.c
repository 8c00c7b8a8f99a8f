// Writes down every message of the broker with the time it came.
#define _GNU_SOURCE
#include <endian.h>
#include <mosquitto.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "recording.h"

#define KEEP_ALIVE_SECONDS 60
#define RECONNECT_INTERVAL_MS 100
#define RECORD_HEADER_SIZE 15

enum flags { RETAINED = 1, DUPLICATE = 2 };

struct subscriber {
  struct recording recording;
  bool is_subscribed, is_duplicate;
  uint64_t messages, bytes;
};

static volatile sig_atomic_t is_ended;

static void end(int signal) {
  (void)signal;
  is_ended = 1;
}

// The library's message has no DUP flag, but it logs each with it just before the message's call.
static void on_log(struct mosquitto *client, void *object, int level, const char *text) {
  (void)client;
  (void)level;
  struct subscriber *subscriber = object;
  const char *received = strstr(text, " received PUBLISH (d");
  if (received) subscriber->is_duplicate = received[strlen(" received PUBLISH (d")] == '1';
}

static void on_message(struct mosquitto *client, void *object,
                       const struct mosquitto_message *message) {
  (void)client;
  struct subscriber *subscriber = object;
  uint64_t now = htole64((uint64_t)monotonic_ns());
  size_t topic_size = strlen(message->topic), payload_size = (size_t)message->payloadlen;
  uint16_t topic_length = htole16((uint16_t)topic_size);
  uint32_t payload_length = htole32((uint32_t)payload_size);
  uint8_t *bytes =
      recording_add(&subscriber->recording, RECORD_HEADER_SIZE + topic_size + payload_size);
  memcpy(bytes, &now, sizeof now);
  bytes[8] = (message->retain ? RETAINED : 0) | (subscriber->is_duplicate ? DUPLICATE : 0);
  memcpy(bytes + 9, &topic_length, sizeof topic_length);
  memcpy(bytes + 11, &payload_length, sizeof payload_length);
  memcpy(bytes + RECORD_HEADER_SIZE, message->topic, topic_size);
  if (payload_size) {
    memcpy(bytes + RECORD_HEADER_SIZE + topic_size, message->payload, payload_size);
  }
  subscriber->messages++;
  subscriber->bytes += payload_size;
}

static void on_connect(struct mosquitto *client, void *object, int result, int flags) {
  struct subscriber *subscriber = object;
  if (result) return;
  // Subscribing anew would bring every retained message once more.
  bool is_session_present = flags & 1;
  if (subscriber->is_subscribed && is_session_present) return;
  mosquitto_subscribe(client, NULL, "#", 1);
}

static void on_subscribe(struct mosquitto *client, void *object, int id, int count,
                         const int *granted) {
  (void)client;
  (void)id;
  struct subscriber *subscriber = object;
  if (count != 1 || granted[0] != 1) die("the broker does not grant QoS 1 on #");
  if (!subscriber->is_subscribed) {
    puts("ready");
    fflush(stdout);
  }
  subscriber->is_subscribed = true;
}

static struct mosquitto *make_client(const char *id, struct subscriber *subscriber) {
  mosquitto_lib_init();
  struct mosquitto *client = mosquitto_new(id, false, subscriber);
  if (!client) die_errno("mosquitto_new");
  mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V311);
  mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1);
  mosquitto_log_callback_set(client, on_log);
  mosquitto_message_callback_set(client, on_message);
  mosquitto_connect_with_flags_callback_set(client, on_connect);
  mosquitto_subscribe_callback_set(client, on_subscribe);
  return client;
}

static void pause_ms(long milliseconds) {
  struct timespec time = {.tv_nsec = milliseconds * 1000000L};
  nanosleep(&time, NULL);
}

static void run(struct mosquitto *client, struct subscriber *subscriber, int port) {
  int64_t flushed_ns = monotonic_ns();
  int result = mosquitto_connect(client, "127.0.0.1", port, KEEP_ALIVE_SECONDS);
  while (!is_ended) {
    if (!result) result = mosquitto_loop(client, FLUSH_INTERVAL_MS, 1);
    if (subscriber->recording.used &&
        monotonic_ns() - flushed_ns >= FLUSH_INTERVAL_MS * 1000000LL) {
      recording_flush(&subscriber->recording);
      flushed_ns = monotonic_ns();
    }
    if (!result || is_ended) continue;
    pause_ms(RECONNECT_INTERVAL_MS);
    result = mosquitto_reconnect(client);
  }
}

int main(int argc, char **argv) {
  long port;
  const char *id, *out;
  const struct option_spec options[] = {{"port", 1, 65535, &port, NULL},
                                        {"client-id", 0, 0, NULL, &id},
                                        {"out", 0, 0, NULL, &out}};
  read_options(argc, argv, options, sizeof options / sizeof *options);
  struct sigaction action = {.sa_handler = end};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  signal(SIGPIPE, SIG_IGN);
  struct subscriber subscriber = {0};
  recording_open(&subscriber.recording, out);
  struct mosquitto *client = make_client(id, &subscriber);
  run(client, &subscriber, (int)port);
  mosquitto_disconnect(client);
  mosquitto_destroy(client);
  mosquitto_lib_cleanup();
  recording_close(&subscriber.recording);
  printf("{\"messages\": %llu, \"bytes\": %llu, \"cpu_seconds\": %.6f}\n",
         (unsigned long long)subscriber.messages, (unsigned long long)subscriber.bytes,
         cpu_seconds());
  return 0;
}
