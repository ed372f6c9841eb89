// The scenario in C, on libzookeeper-mt: prints a line for everything it learns, without zxids, times and ids.
//   client HOST:PORT first            the scenario; its last line is "id SESSION PASSWORD", and it ends without a close
//   client HOST:PORT resume ID PASSWORD

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zookeeper/zookeeper.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int connected = 0;
static int events = 0;
static char seen[16][64];
static int completions = 0;
static int completion_errors = 0;
static long long completion_sum = 0;

// Waits until *counter reaches wanted; 0 if that takes more than 20 seconds.
static int wait_for(const int* counter, int wanted) {
  struct timespec deadline;
  clock_gettime(CLOCK_REALTIME, &deadline);
  deadline.tv_sec += 20;
  pthread_mutex_lock(&mutex);
  int late = 0;
  while (*counter < wanted && late == 0) {
    late = pthread_cond_timedwait(&changed, &mutex, &deadline);
  }
  int reached = *counter >= wanted;
  pthread_mutex_unlock(&mutex);
  return reached;
}

static void raise_counter(int* counter) {
  pthread_mutex_lock(&mutex);
  ++*counter;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&mutex);
}

static void on_session(zhandle_t* handle, int type, int state, const char* path, void* context) {
  (void)handle, (void)path, (void)context;
  if (type == ZOO_SESSION_EVENT && state == ZOO_CONNECTED_STATE) {
    raise_counter(&connected);
  }
}

static void on_watch(zhandle_t* handle, int type, int state, const char* path, void* context) {
  (void)handle, (void)state;
  snprintf(seen[events], sizeof seen[0], "event %s %d %s", (const char*)context, type, path);
  raise_counter(&events);
}

static void print_stat(const char* what, int code, const struct Stat* stat) {
  if (code != ZOK) {
    printf("%s: %d\n", what, code);
    return;
  }
  printf("%s: ok version=%d cversion=%d aversion=%d length=%d children=%d owned=%d changed=%d\n", what, stat->version,
         stat->cversion, stat->aversion, stat->dataLength, stat->numChildren, stat->ephemeralOwner != 0,
         stat->czxid != stat->mzxid);
}

static int compare_names(const void* a, const void* b) {
  return strcmp(*(char* const*)a, *(char* const*)b);
}

static void print_names(const char* what, int code, struct String_vector* names) {
  printf("%s: %d", what, code);
  if (code == ZOK) {
    qsort(names->data, (size_t)names->count, sizeof(char*), compare_names);
    for (int i = 0; i < names->count; ++i) {
      printf(" %s", names->data[i]);
    }
    deallocate_String_vector(names);
  }
  printf("\n");
}

static void print_data(zhandle_t* handle, const char* path) {
  char buffer[256];
  int length = sizeof buffer;
  struct Stat stat;
  int code = zoo_get(handle, path, 0, buffer, &length, &stat);
  printf("data of %s: %d [%.*s] length %d\n", path, code, code == ZOK && length > 0 ? length : 0, buffer,
         code == ZOK ? length : 0);
  print_stat("  stat", code, &stat);
}

static void basics(zhandle_t* handle) {
  char path[256];
  struct Stat stat;
  struct String_vector names;
  printf("create: %d", zoo_create(handle, "/c", "one", 3, &ZOO_OPEN_ACL_UNSAFE, 0, path, sizeof path));
  printf(" %s\n", path);
  printf("create again: %d\n", zoo_create(handle, "/c", "one", 3, &ZOO_OPEN_ACL_UNSAFE, 0, path, sizeof path));
  printf("create below nothing: %d\n", zoo_create(handle, "/no/x", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, path, sizeof path));
  printf("create with null data: %d\n",
         zoo_create(handle, "/c/null", NULL, -1, &ZOO_OPEN_ACL_UNSAFE, 0, path, sizeof path));
  printf("create with empty data: %d\n",
         zoo_create(handle, "/c/empty", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, path, sizeof path));
  for (int i = 0; i < 3; ++i) {
    printf("sequence: %d",
           zoo_create(handle, "/c/s-", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT_SEQUENTIAL, path, sizeof path));
    printf(" %s\n", path);
  }
  printf("ephemeral: %d\n", zoo_create(handle, "/c/e", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, path, sizeof path));
  printf("below an ephemeral: %d\n", zoo_create(handle, "/c/e/x", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, path, sizeof path));
  print_stat("create2", zoo_create2(handle, "/c/two", "22", 2, &ZOO_OPEN_ACL_UNSAFE, 0, path, sizeof path, &stat),
             &stat);
  print_stat("container",
             zoo_create2(handle, "/c/box", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_CONTAINER, path, sizeof path, &stat),
             &stat);
  print_stat("ttl",
             zoo_create2_ttl(handle, "/c/ttl", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT_WITH_TTL, 600000, path,
                             sizeof path, &stat),
             &stat);
  print_stat("ttl and sequence",
             zoo_create2_ttl(handle, "/c/ttl-", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT_SEQUENTIAL_WITH_TTL, 600000,
                             path, sizeof path, &stat),
             &stat);
  printf("  named %s\n", path);
  print_data(handle, "/c");
  print_data(handle, "/c/null");
  print_data(handle, "/c/empty");
  print_data(handle, "/none");
  print_stat("set", zoo_set2(handle, "/c", "three", 5, 0, &stat), &stat);
  print_stat("set with a bad version", zoo_set2(handle, "/c", "x", 1, 7, &stat), &stat);
  print_stat("exists", zoo_exists(handle, "/c", 0, &stat), &stat);
  print_stat("exists not", zoo_exists(handle, "/none", 0, &stat), &stat);
  print_names("children", zoo_get_children(handle, "/c", 0, &names), &names);
  print_names("children with stat", zoo_get_children2(handle, "/c", 0, &names, &stat), &names);
  printf("delete with children: %d\n", zoo_delete(handle, "/c", -1));
  printf("delete with a bad version: %d\n", zoo_delete(handle, "/c/two", 5));
  printf("delete: %d\n", zoo_delete(handle, "/c/two", 0));
  printf("delete again: %d\n", zoo_delete(handle, "/c/two", 0));
}

static void on_auth(int code, const void* context) {
  (void)context;
  printf("auth: %d\n", code);
  raise_counter(&completions);
}

static void permissions(zhandle_t* handle, zhandle_t* other) {
  char path[256];
  struct Stat stat;
  struct ACL_vector acl;
  completions = 0;
  zoo_add_auth(handle, "digest", "bob:pw", 6, on_auth, NULL);
  printf("auth answered: %d\n", wait_for(&completions, 1));
  printf("create for the authenticated: %d\n",
         zoo_create(handle, "/c/mine", "secret", 6, &ZOO_CREATOR_ALL_ACL, 0, path, sizeof path));
  print_stat("acl", zoo_get_acl(handle, "/c/mine", &acl, &stat), &stat);
  for (int i = 0; i < acl.count; ++i) {
    printf("  %d %s %s\n", acl.data[i].perms, acl.data[i].id.scheme, acl.data[i].id.id);
  }
  deallocate_ACL_vector(&acl);
  char buffer[64];
  int length = sizeof buffer;
  printf("another reads: %d\n", zoo_get(other, "/c/mine", 0, buffer, &length, &stat));
  printf("another writes: %d\n", zoo_set(other, "/c/mine", "x", 1, -1));
  printf("another sets the acl: %d\n", zoo_set_acl(other, "/c/mine", -1, &ZOO_OPEN_ACL_UNSAFE));
  printf("set acl with a bad version: %d\n", zoo_set_acl(handle, "/c/mine", 3, &ZOO_READ_ACL_UNSAFE));
  printf("set acl: %d\n", zoo_set_acl(handle, "/c/mine", 0, &ZOO_READ_ACL_UNSAFE));
  length = sizeof buffer;
  printf("another reads: %d\n", zoo_get(other, "/c/mine", 0, buffer, &length, &stat));
  printf("the owner writes: %d\n", zoo_set(handle, "/c/mine", "x", 1, -1));
  printf("the owner deletes: %d\n", zoo_delete(handle, "/c/mine", -1));
}

static void multis(zhandle_t* handle) {
  char path[256];
  struct Stat stat;
  zoo_op_t good[4];
  zoo_op_result_t results[4];
  zoo_create_op_init(&good[0], "/c/m", "1", 1, &ZOO_OPEN_ACL_UNSAFE, 0, path, sizeof path);
  zoo_set_op_init(&good[1], "/c/m", "22", 2, 0, &stat);
  zoo_check_op_init(&good[2], "/c/m", 1);
  zoo_create_op_init(&good[3], "/c/m/s-", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL_SEQUENTIAL, path, sizeof path);
  printf("multi: %d", zoo_multi(handle, 4, good, results));
  for (int i = 0; i < 4; ++i) {
    printf(" %d", results[i].err);
  }
  printf(" %s version=%d length=%d\n", path, stat.version, stat.dataLength);
  zoo_op_t bad[3];
  zoo_delete_op_init(&bad[0], path, -1);
  zoo_check_op_init(&bad[1], "/c/m", 9);
  zoo_delete_op_init(&bad[2], "/c/m", -1);
  printf("multi that fails: %d", zoo_multi(handle, 3, bad, results));
  for (int i = 0; i < 3; ++i) {
    printf(" %d", results[i].err);
  }
  printf("\n");
  struct String_vector names;
  print_names("children after it", zoo_get_children(handle, "/c/m", 0, &names), &names);
}

static void watches(zhandle_t* handle, zhandle_t* other) {
  char path[256];
  char buffer[64];
  int length = sizeof buffer;
  struct Stat stat;
  struct String_vector names;
  printf("exists and watch: %d\n", zoo_wexists(handle, "/c/w", on_watch, "exists", &stat));
  printf("another creates: %d\n", zoo_create(other, "/c/w", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, path, sizeof path));
  printf("seen: %d\n", wait_for(&events, 1));
  printf("get and watch: %d\n", zoo_wget(handle, "/c/w", on_watch, "data", buffer, &length, &stat));
  printf("another sets: %d\n", zoo_set(other, "/c/w", "1", 1, -1));
  printf("seen: %d\n", wait_for(&events, 2));
  print_names("children and watch", zoo_wget_children(handle, "/c/w", on_watch, "children", &names), &names);
  printf("another creates below: %d\n", zoo_create(other, "/c/w/x", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, path, sizeof path));
  printf("seen: %d\n", wait_for(&events, 3));
  printf("another deletes below: %d\n", zoo_delete(other, "/c/w/x", -1));
  length = sizeof buffer;
  printf("get and watch: %d\n", zoo_wget(handle, "/c/w", on_watch, "data", buffer, &length, &stat));
  printf("another deletes: %d\n", zoo_delete(other, "/c/w", -1));
  printf("seen: %d\n", wait_for(&events, 4));
  for (int i = 0; i < events; ++i) {
    printf("%s\n", seen[i]);
  }
}

static void on_created(int code, const char* value, const void* context) {
  (void)context;
  if (code != ZOK || value == NULL) {
    ++completion_errors;
  }
  raise_counter(&completions);
}

static void on_read(int code, const char* value, int length, const struct Stat* stat, const void* context) {
  (void)stat;
  char expected[32];
  snprintf(expected, sizeof expected, "%ld", (long)context);
  if (code != ZOK || (size_t)length != strlen(expected) || memcmp(value, expected, (size_t)length) != 0) {
    ++completion_errors;
  } else {
    completion_sum += (long)context;
  }
  raise_counter(&completions);
}

static void on_sync(int code, const char* value, const void* context) {
  (void)context;
  printf("sync: %d %s\n", code, value);
  raise_counter(&completions);
}

static void pipelines(zhandle_t* handle) {
  enum { count = 1000 };
  char path[64];
  char data[32];
  completions = 0;
  for (long i = 0; i < count; ++i) {
    snprintf(path, sizeof path, "/c/p%04ld", i);
    snprintf(data, sizeof data, "%ld", i);
    zoo_acreate(handle, path, data, (int)strlen(data), &ZOO_OPEN_ACL_UNSAFE, 0, on_created, NULL);
  }
  for (long i = 0; i < count; ++i) {
    snprintf(path, sizeof path, "/c/p%04ld", i);
    zoo_aget(handle, path, 0, on_read, (void*)i);
  }
  int all = wait_for(&completions, 2 * count);
  printf("pipelined: %d errors %d sum %lld\n", all, completion_errors, completion_sum);
  completions = 0;
  zoo_async(handle, "/c", on_sync, NULL);
  printf("sync answered: %d\n", wait_for(&completions, 1));
}

static zhandle_t* open_handle(const char* host, const clientid_t* id, int wanted) {
  zhandle_t* handle = zookeeper_init(host, on_session, 30000, id, NULL, 0);
  if (handle == NULL || !wait_for(&connected, wanted)) {
    printf("no connection\n");
    exit(1);
  }
  return handle;
}

int main(int count, char** arguments) {
  zoo_set_debug_level(0);
  if (count == 3 && strcmp(arguments[2], "first") == 0) {
    zhandle_t* handle = open_handle(arguments[1], NULL, 1);
    zhandle_t* other = open_handle(arguments[1], NULL, 2);
    basics(handle);
    permissions(handle, other);
    multis(handle);
    watches(handle, other);
    pipelines(handle);
    printf("close: %d\n", zookeeper_close(other));
    const clientid_t* id = zoo_client_id(handle);
    printf("id %lld ", (long long)id->client_id);
    for (size_t i = 0; i < sizeof id->passwd; ++i) {
      printf("%02x", (unsigned char)id->passwd[i]);
    }
    printf("\n");
    fflush(stdout);
    _exit(0);  // The connection ends, the session does not.
  }
  if (count == 5 && strcmp(arguments[2], "resume") == 0) {
    clientid_t id = {.client_id = atoll(arguments[3])};
    for (size_t i = 0; i < sizeof id.passwd; ++i) {
      unsigned byte = 0;
      sscanf(arguments[4] + 2 * i, "%2x", &byte);
      id.passwd[i] = (char)byte;
    }
    zhandle_t* handle = open_handle(arguments[1], &id, 1);
    struct Stat stat;
    int code = zoo_exists(handle, "/c/e", 0, &stat);
    printf("resumed: same id %d, ephemeral %d, owned by it %d\n", zoo_client_id(handle)->client_id == id.client_id,
           code, stat.ephemeralOwner == id.client_id);
    printf("close: %d\n", zookeeper_close(handle));
    return 0;
  }
  return 2;
}
