// Configuration tables: every spelling, every kind of bad value, and what becomes of a file (operations 1.1 to 1.5).

#include "server/config.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "server/properties.hpp"
#include "server/server_line.hpp"

namespace quorate::server {
namespace {

ConfigReading read(const std::string& text, std::vector<FlagValue> flags = {}) {
  return read_config(ConfigInput{.file_name = "zoo.cfg",
                                 .file_text = text,
                                 .flags = std::move(flags),
                                 .read_file = [](const std::string& path) -> Result<std::string> {
                                   if (path == "servers.dynamic") {
                                     return "server.3=a:2888:3888;2199\nversion=100000000\n";
                                   }
                                   return failure(ErrorCode::not_found, "cannot be read");
                                 }});
}

// A file that is complete but for the lines under test.
ConfigReading read_more(const std::string& lines, std::vector<FlagValue> flags = {}) {
  return read("dataDir=/d\nclientPort=2181\n" + lines, std::move(flags));
}

// "error zoo.cfg:3 text" of the findings that are not mere notes.
std::vector<std::string> complaints(const ConfigReading& reading) {
  std::vector<std::string> lines;
  for (const Finding& finding : reading.findings) {
    if (finding.severity != Finding::Severity::note) {
      lines.push_back(describe(finding));
    }
  }
  return lines;
}

std::string join(const std::vector<std::string>& lines) {
  std::string all;
  for (const std::string& line : lines) {
    all += line + "\n";
  }
  return all;
}

const Effective* find_effective(const ConfigReading& reading, std::string_view name) {
  for (const Effective& each : reading.effective) {
    if (each.setting->name == name) {
      return &each;
    }
  }
  return nullptr;
}

TEST(properties, syntax_of_operations_1_1) {
  struct Case {
    const char* text;
    std::vector<Property> expected;
  };
  const std::vector<Case> cases = {
      {"a=b", {{"a", "b", 1}}},
      {"a:b\nc d", {{"a", "b", 1}, {"c", "d", 2}}},
      {"  a  =  b  ", {{"a", "b", 1}}},
      {"a\t:\tb=c", {{"a", "b=c", 1}}},
      {"# a=b\n! c=d\n\n  # e\nf=g", {{"f", "g", 5}}},
      {"a=b\\\n   c\\\n  d\ne=f", {{"a", "bcd", 1}, {"e", "f", 4}}},
      {"a=b\\\\\nc=d", {{"a", "b\\", 1}, {"c", "d", 2}}},
      {"a\\=b\\:c\\ d=e", {{"a=b:c d", "e", 1}}},
      {"a=\\tb\\n", {{"a", "b", 1}}},
      {"a=x\\ty", {{"a", "x\ty", 1}}},
      {"a=\\u00e4\\u20AC\\u0041",
       {{"a",
         "\xC3\xA4\xE2\x82\xAC"
         "A",
         1}}},
      {"a", {{"a", "", 1}}},
      {"=b", {{"", "b", 1}}},
      {"a=b\r\nc=d\re=f", {{"a", "b", 1}, {"c", "d", 2}, {"e", "f", 3}}},
      {"a=b\na=c", {{"a", "b", 1}, {"a", "c", 2}}},
      {"a=b\\", {{"a", "b", 1}}},
      {"# comment \\\na=b", {{"a", "b", 2}}},
  };
  for (const Case& sample : cases) {
    const auto properties = parse_properties(sample.text);
    ASSERT_TRUE(properties.has_value()) << sample.text;
    EXPECT_EQ(*properties, sample.expected) << sample.text;
  }
}

TEST(properties, a_malformed_unicode_escape_is_an_error_with_its_line) {
  for (const char* text : {"a=b\nc=\\u12", "a=b\nc=\\u12g4", "a=b\nc=\\u-123"}) {
    const auto properties = parse_properties(text);
    ASSERT_FALSE(properties.has_value()) << text;
    EXPECT_NE(properties.error().message.find("line 2"), std::string::npos);
  }
}

TEST(settings, every_spelling_of_every_setting_is_found) {
  for (const Setting& setting : settings()) {
    std::istringstream rest{std::string(setting.spellings)};
    std::vector<std::string> spellings{std::string(setting.name)};
    for (std::string more; rest >> more;) {
      spellings.push_back(more);
    }
    for (const std::string& spelling : spellings) {
      EXPECT_EQ(find_setting(spelling), &setting) << spelling;
      EXPECT_EQ(find_setting("zookeeper." + spelling), &setting) << spelling;
    }
  }
}

TEST(settings, no_two_settings_share_a_spelling_or_a_flag) {
  std::set<std::string> flags;
  std::set<std::string_view> names;
  for (const Setting& setting : settings()) {
    EXPECT_TRUE(flags.insert(flag_of(setting)).second) << setting.name;
    EXPECT_TRUE(names.insert(setting.name).second) << setting.name;
    EXPECT_FALSE(setting.meaning.empty()) << setting.name;
  }
}

TEST(settings, every_default_is_a_value_that_the_reader_takes) {
  for (const Setting& setting : settings()) {
    if (setting.standard.empty() || setting.kind == Kind::secret) {
      continue;
    }
    const ConfigReading reading = read_more("\n" + std::string(setting.name) + "=" + std::string(setting.standard));
    EXPECT_TRUE(reading.is_usable()) << join(complaints(reading));
  }
}

TEST(settings, flags_are_spelled_as_people_type_them) {
  EXPECT_EQ(flag_of(*find_setting("tickTime")), "--tick-time");
  EXPECT_EQ(flag_of(*find_setting("jute.maxbuffer")), "--jute-maxbuffer");
  EXPECT_EQ(flag_of(*find_setting("4lw.commands.whitelist")), "--4lw-commands-whitelist");
  EXPECT_EQ(flag_of(*find_setting("skipACL")), "--skip-acl");
  EXPECT_EQ(flag_of(*find_setting("maxClientCnxns")), "--max-client-cnxns");
}

TEST(settings, a_slip_of_the_finger_gets_a_suggestion_and_nonsense_none) {
  EXPECT_EQ(nearest_setting("tickTme"), "tickTime");
  EXPECT_EQ(nearest_setting("ticktime"), "tickTime");
  EXPECT_EQ(nearest_setting("zookeeper.snapCont"), "snapCount");
  EXPECT_EQ(nearest_setting("maxClientConnections"), "");
  EXPECT_EQ(nearest_setting("maxClientCnxn"), "maxClientCnxns");
  EXPECT_EQ(nearest_setting("4lw.command.whitelist"), "4lw.commands.whitelist");
  EXPECT_EQ(nearest_setting("colour"), "");
  EXPECT_EQ(nearest_setting(std::string(100000, 'x')), "");
}

TEST(settings, the_page_of_settings_is_the_table) {
  std::ifstream page("docs/settings.md");
  for (const char* up : {"../docs/settings.md", "../../docs/settings.md", "../../../docs/settings.md"}) {
    if (!page.is_open()) {
      page.open(up);
    }
  }
  ASSERT_TRUE(page.is_open()) << "tests run inside the project: the page is part of it";
  std::ostringstream text;
  text << page.rdbuf();
  EXPECT_EQ(text.str(), settings_as_markdown()) << "quorate check-config --markdown > docs/settings.md";
}

TEST(config, without_a_file_the_embedded_defaults_hold) {
  const ConfigReading reading = read_config(ConfigInput{});
  EXPECT_TRUE(reading.is_usable());
  EXPECT_TRUE(complaints(reading).empty()) << join(complaints(reading));
  const Config standard;
  EXPECT_EQ(reading.config.listen_host, "127.0.0.1");
  EXPECT_EQ(reading.config.port, standard.port);
  EXPECT_EQ(reading.config.data_directory, standard.data_directory);
  EXPECT_EQ(reading.config.tick_ms, standard.tick_ms);
  EXPECT_EQ(reading.config.frame_bytes_max, standard.frame_bytes_max);
  EXPECT_EQ(reading.config.snapshot_log_bytes, standard.snapshot_log_bytes);
  EXPECT_EQ(reading.config.segment_bytes, standard.segment_bytes);
  EXPECT_EQ(reading.config.four_letter_words, standard.four_letter_words);
}

TEST(config, a_zoo_cfg_as_everybody_has_one) {
  const ConfigReading reading = read(
      "# The number of milliseconds of each tick\ntickTime=2000\ninitLimit=10\nsyncLimit=5\n"
      "dataDir=/var/lib/zookeeper\nclientPort=2182\nautopurge.snapRetainCount=3\nautopurge.purgeInterval=1\n"
      "admin.enableServer=false\n4lw.commands.whitelist=ruok, mntr\n");
  EXPECT_TRUE(reading.is_usable());
  EXPECT_TRUE(complaints(reading).empty()) << join(complaints(reading));  // Purging is done in any case.
  EXPECT_EQ(reading.config.port, 2182);
  EXPECT_EQ(reading.config.listen_host, "");
  EXPECT_EQ(reading.config.data_directory, "/var/lib/zookeeper");
  EXPECT_EQ(reading.config.log_directory, "/var/lib/zookeeper");
  EXPECT_EQ(reading.config.tick_ms, 2000);
  EXPECT_EQ(reading.config.min_session_timeout_ms, 4000);
  EXPECT_EQ(reading.config.max_session_timeout_ms, 40000);
  EXPECT_EQ(reading.config.four_letter_words, (std::vector<std::string>{"ruok", "mntr"}));
}

// One line each: what is written, and that the complaint names the line and what to do.
TEST(config, bad_values_are_errors_with_line_and_remedy) {
  struct Case {
    const char* line;
    const char* complaint;
  };
  const std::array<Case, 44> cases{{
      {"tickTime=abc", "\"abc\" is not a whole decimal number (ms)"},
      {"tickTime=", "not a whole decimal number"},
      {"tickTime=12 34", "not a whole decimal number"},
      {"tickTime=1.5", "not a whole decimal number"},
      {"tickTime=0x10", "not a whole decimal number"},
      {"tickTime=99999999999999999999", "not a whole decimal number"},
      {"tickTime=0", "out of range (1 to 3600000); the nearest value is 1"},
      {"tickTime=-5", "the nearest value is 1"},
      {"zookeeper.maxCnxns=-1", "the nearest value is 0"},
      {"jute.maxbuffer=0xzz", "not a whole decimal number"},
      {"forceSync=true", "forceSync: \"true\" is neither yes nor no; write yes"},
      {"forceSync=FALSE", "forceSync: \"FALSE\" is neither yes nor no; write no"},
      {"skipACL=false", "skipACL: \"false\" is neither yes nor no; write no"},
      {"skipACL=1", "neither yes nor no; write yes"},
      {"leaderServes=perhaps", "neither yes nor no; write yes or no"},
      {"localSessionsEnabled=yes", "neither true nor false; write true"},
      {"standaloneEnabled=on", "neither true nor false; write true"},
      {"sslQuorum=no", "neither true nor false; write false"},
      {"multiAddress.enabled=yes", "neither true nor false; write true"},
      {"multiAddress.reachabilityCheckEnabled=1", "neither true nor false"},
      {"quorum.auth.enableSasl=on", "neither true nor false"},
      {"quorum.auth.serverRequireSasl=on", "neither true nor false"},
      {"quorum.auth.learnerRequireSasl=on", "neither true nor false"},
      {"standaloneEnabled=false", "standaloneEnabled=false, but no server line is there"},
      {"server.1=a:1:2|b:3:4", "server.1 has several addresses, but multiAddress.enabled is not set"},
      {"snapshotSizeFactor=NaN", "is not a number; write one like 0.33"},
      {"snapshotSizeFactor=inf", "is not a number"},
      {"snapshotSizeFactor=", "is not a number"},
      {"connectionDropIncrease=1,5", "is not a number"},
      {"electionAlg=1", "the nearest value is 3"},
      {"dataLogDir=", "dataLogDir is empty"},
      {"minSessionTimeout=70000", "minSessionTimeout is 70000 ms, above maxSessionTimeout with 60000 ms"},
      {"maxSessionTimeout=100", "above maxSessionTimeout with 100 ms"},
      {"minSessionTimeout=0", "minSessionTimeout: 0 is no session timeout; write at least 1, or -1"},
      {"minSessionTimeout=1\nmaxSessionTimeout=0", "maxSessionTimeout: 0 is no session timeout"},
      {"enforce.auth.enabled=true", "enforce.auth.schemes is missing"},
      {"sessionRequireClientSASLAuth=true", "lock every client out"},
      {"authProvider.1=com.example.Mine", "Java classes cannot be loaded"},
      {"server.1=a:1:2\nserver.2=b:1:2", "2 servers are listed, but this version runs alone: clusters come later"},
      {"server.1=a:1:2:observer", "observers need a cluster"},
      {"server.1=a:1:2\nserver.2=b:1:2:observer", "observers need a cluster"},
      {"server.0=a:1:2", "must be 1 to 254"},
      {"server.1=a:1:1", "must differ"},
      {"dynamicConfigFile=nowhere", "dynamicConfigFile nowhere: cannot be read"},
  }};
  for (const Case& sample : cases) {
    const ConfigReading reading = read_more(sample.line);
    EXPECT_FALSE(reading.is_usable()) << sample.line;
    const std::string all = join(complaints(reading));
    EXPECT_NE(all.find(sample.complaint), std::string::npos) << sample.line << "\n" << all;
    EXPECT_TRUE(all.find("zoo.cfg:3: error") != std::string::npos || all.find("zoo.cfg:4: error") != std::string::npos)
        << all;
  }
}

TEST(config, lists_are_trimmed_of_all_white_space) {
  const ConfigReading reading = read_more("4lw.commands.whitelist=ruok,\\tmntr\\t ,\\n stat");
  EXPECT_TRUE(complaints(reading).empty()) << join(complaints(reading));
  EXPECT_EQ(reading.config.four_letter_words, (std::vector<std::string>{"ruok", "mntr", "stat"}));
}

TEST(config, enforced_schemes_need_a_provider) {
  EXPECT_FALSE(read_more("enforce.auth.enabled=true\nenforce.auth.schemes=digest,sasl").is_usable());
  const ConfigReading good = read_more("enforce.auth.enabled=true\nenforce.auth.schemes=digest, ip");
  EXPECT_TRUE(good.is_usable());
  EXPECT_EQ(good.config.enforced_schemes, (std::vector<std::string>{"digest", "ip"}));
}

TEST(config, warnings_name_line_and_suggestion_and_do_not_stop_the_start) {
  struct Case {
    const char* line;
    const char* complaint;
  };
  const std::array<Case, 10> cases{{
      {"tickTme=2000", "zoo.cfg:3: warning: unknown setting \"tickTme\" is ignored; did you mean tickTime?"},
      {"colour=red", "zoo.cfg:3: warning: unknown setting \"colour\" is ignored"},
      {"forceSync=no", "zoo.cfg:3: warning: forceSync=no: writes are acknowledged before they are on disk"},
      {"skipACL=YES", "no ACL is checked"},
      {"extendedTypesEnabled=yes", "read as false, as ZooKeeper does"},
      {"secureClientPort=2281", "TLS comes later: this port is not opened"},
      {"authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider", "comes later"},
      {"server.1=a:1:2", "one server line: this server runs alone"},
      {"4lw.commands.whitelist=ruok, mtnr", "zoo.cfg:3: warning: there is no four-letter word \"mtnr\""},
      {"clientPort=2182", "zoo.cfg:3: warning: clientPort was already set at zoo.cfg:2; the last one wins"},
  }};
  for (const Case& sample : cases) {
    const ConfigReading reading = read_more(sample.line);
    EXPECT_TRUE(reading.is_usable()) << sample.line;
    const std::string all = join(complaints(reading));
    EXPECT_NE(all.find(sample.complaint), std::string::npos) << sample.line << "\n" << all;
  }
}

// Operations 1.3, 1.4: ZooKeeper starts with these, so a zoo.cfg that holds them must not stop us.
TEST(config, values_with_which_zookeeper_starts_are_replaced_by_the_nearest_with_a_warning) {
  struct Case {
    const char* name;
    const char* written;
    const char* taken;
  };
  for (const Case& sample : {Case{"preAllocSize", "100", "1024"}, Case{"autopurge.snapRetainCount", "-1", "3"},
                             Case{"globalOutstandingLimit", "0", "1"}, Case{"fsync.warningthresholdms", "0", "1"},
                             Case{"maxClientCnxns", "-2", "-1"}, Case{"preAllocSize", "4194304", "1048576"},
                             Case{"jute.maxbuffer", "100", "1024"}, Case{"jute.maxbuffer", "0x7fffffff", "67108864"}}) {
    const std::string line = std::string(sample.name) + "=" + sample.written;
    const ConfigReading reading = read_more(line);
    EXPECT_TRUE(reading.is_usable()) << line;
    const std::string all = join(complaints(reading));
    EXPECT_NE(all.find(std::string("zoo.cfg:3: warning: ") + sample.name + ": " + sample.written), std::string::npos)
        << all;
    EXPECT_NE(all.find(std::string("the nearest value is taken: ") + sample.taken), std::string::npos) << all;
    EXPECT_EQ(find_effective(reading, sample.name)->value, sample.taken);
  }
  EXPECT_EQ(read_more("preAllocSize=100").config.segment_bytes, 1024U * 1024U);
  EXPECT_EQ(read_more("jute.maxbuffer=100").config.frame_bytes_max, 1024U);
  EXPECT_EQ(read_more("maxClientCnxns=-2").config.connections_per_address_max, 0U);
  EXPECT_FALSE(read_more("preAllocSize=x").is_usable());
}

TEST(config, settings_for_clusters_are_accepted_with_a_note) {
  for (const char* line : {"initLimit=5", "group.1=1:2", "weight.1=1", "flushDelay=0"}) {
    const ConfigReading reading = read_more(line);
    EXPECT_TRUE(complaints(reading).empty()) << join(complaints(reading));
    EXPECT_EQ(reading.findings.size(), 1U) << line;
  }
}

// Nobody must believe in a limit that is not kept.
TEST(config, a_setting_that_has_no_meaning_here_is_named) {
  for (const char* line : {"nio.numWorkerThreads=8", "commitProcessor.numWorkerThreads=4",
                           "zookeeper.jmx.log4j.disable=x", "ssl.sslProvider=x", "flushDelay=3", "digest.enabled=false",
                           "request_throttle_stall_time=7", "maxResponseCacheSize=1"}) {
    const ConfigReading reading = read_more(line);
    EXPECT_TRUE(reading.is_usable()) << line;
    EXPECT_EQ(complaints(reading).size(), 1U) << line;
    EXPECT_NE(join(complaints(reading)).find(" has no meaning here: "), std::string::npos) << line;
  }
}

// Operations 1.8, 1.9: every key has its own line in the table, so that a slip is not taken for a setting.
TEST(config, what_comes_later_says_so_by_name) {
  for (const char* line : {"ssl.keyStore.location=/k", "ssl.keyStore.password=secret", "ssl.trustStore.type=PEM",
                           "ssl.clientAuth=none", "ssl.enabledProtocols=TLSv1.3", "ssl.quorum.keyStore.location=/k",
                           "ssl.quorum.crl=true", "ssl.handshakeDetectionTimeoutMillis=7", "secureClientPort=2281"}) {
    const ConfigReading reading = read_more(line);
    EXPECT_TRUE(reading.is_usable()) << line;
    EXPECT_EQ(complaints(reading).size(), 1U) << line;
    EXPECT_NE(join(complaints(reading)).find("has no effect in this version: TLS "), std::string::npos)
        << join(complaints(reading));
    EXPECT_EQ(join(complaints(reading)).find("secret"), std::string::npos);
  }
  for (const char* line :
       {"admin.httpVersion=12", "admin.portUnification=true", "admin.rateLimiterIntervalInMS=1", "admin.idleTimeout=1",
        "metricsProvider.className=x", "quorum.auth.kerberos.servicePrincipal=x",
        "kerberos.removeHostFromPrincipal=true", "security.auth_to_local=x", "quorum.auth.learner.saslLoginContext=x",
        "metricsProvider.httpsPort=1"}) {
    EXPECT_NE(join(complaints(read_more(line))).find("has no effect in this version: "), std::string::npos) << line;
  }
}

TEST(config, a_slip_in_a_family_gets_its_suggestion) {
  struct Case {
    const char* key;
    const char* meant;
  };
  for (const Case& sample :
       {Case{"admin.serverProt", "admin.serverPort"}, Case{"metricsProvider.clasName", "metricsProvider.className"},
        Case{"ssl.keyStore.locaton", "ssl.keyStore.location"},
        Case{"ssl.quorum.trustStore.pasword", "ssl.quorum.trustStore.password"},
        Case{"quorum.auth.enableSsl", "quorum.auth.enableSasl"},
        Case{"kerberos.removeHostFromPrinciple", "kerberos.removeHostFromPrincipal"},
        Case{"learner.asyncSnding", "learner.asyncSending"}, Case{"nio.numWorkerThread", "nio.numWorkerThreads"}}) {
    const std::string all = join(complaints(read_more(std::string(sample.key) + "=1")));
    EXPECT_NE(all.find(std::string("is ignored; did you mean ") + sample.meant + "?"), std::string::npos) << all;
  }
}

// Operations 1.4: by the documented name, and by the property that ZooKeeper really reads.
TEST(config, throttles_are_set_by_both_spellings) {
  const auto expect = [](const Config& config) {
    EXPECT_EQ(config.request_throttle_max, 7U);
    EXPECT_TRUE(config.drops_late_requests);
    EXPECT_EQ(config.connection_throttle.tokens_max, 100);
    EXPECT_EQ(config.connection_throttle.fill_ms, 20);
    EXPECT_EQ(config.connection_throttle.fill_count, 3);
    EXPECT_EQ(config.connection_throttle.freeze_ms, 50);
    EXPECT_DOUBLE_EQ(config.connection_throttle.drop_increase, 0.5);
    EXPECT_DOUBLE_EQ(config.connection_throttle.drop_decrease, 0.25);
    EXPECT_DOUBLE_EQ(config.connection_throttle.decrease_ratio, 0.125);
    EXPECT_EQ(config.connection_throttle.new_session_weight, 5);
    EXPECT_EQ(config.connection_throttle.renewed_session_weight, 4);
  };
  const std::string weights =
      "connection_throttle_weight_enabled=true\nconnection_throttle_global_session_weight=5\n"
      "connection_throttle_renew_session_weight=4\n";
  expect(read_more("requestThrottleLimit=7\nrequestStaleLatencyCheck=true\nconnectionMaxTokens=100\n"
                   "connectionTokenFillTime=20\nconnectionTokenFillCount=3\nconnectionFreezeTime=50\n"
                   "connectionDropIncrease=0.5\nconnectionDropDecrease=0.25\nconnectionDecreaseRatio=0.125\n" +
                   weights)
             .config);
  expect(read_more("zookeeper.request_throttle_max_requests=7\nrequest_stale_latency_check=true\n"
                   "connection_throttle_tokens=100\nconnection_throttle_fill_time=20\n"
                   "connection_throttle_fill_count=3\nconnection_throttle_freeze_time=50\n"
                   "connection_throttle_drop_increase=0.5\nconnection_throttle_drop_decrease=0.25\n"
                   "connection_throttle_decrease_ratio=0.125\n" +
                   weights)
             .config);
  EXPECT_FALSE(read_more("requestStaleLatencyCheck=true\nrequestThrottleDropStale=false").config.drops_late_requests);
  EXPECT_EQ(read_more("connection_throttle_global_session_weight=5").config.connection_throttle.new_session_weight, 1);
}

TEST(config, a_file_must_say_where_data_and_port_are) {
  EXPECT_NE(join(complaints(read("clientPort=2181"))).find("dataDir is missing"), std::string::npos);
  EXPECT_NE(join(complaints(read("dataDir=/d"))).find("clientPort is missing"), std::string::npos);
  EXPECT_TRUE(read("dataDir=/d\nserver.7=h:1:2;2190").is_usable());
}

TEST(config, values_reach_the_server_in_its_units) {
  const Config config =
      read_more(
          "clientPortAddress=0.0.0.0\ndataLogDir=/l\nmaxClientCnxns=-1\nmaxCnxns=7\nnio.sessionlessCnxnTimeout=11\n"
          "jute.maxbuffer=0x100000\nzookeeper.globalOutstandingLimit=12\nclientTcpKeepAlive=TRUE\n"
          "fsync.warningthresholdms=20\nsnapCount=1\nsnapSizeLimitInKb=0\npreAllocSize=2048\ncommitLogCount=9\n"
          "treeMemoryLimitInMb=3\n"
          "enforceQuota=true\nextendedTypesEnabled=true\nreconfigEnabled=true\nznode.container.checkIntervalMs=5\n"
          "znode.container.maxPerMinute=6\nznode.container.maxNeverUsedIntervalMs=8\n"
          "DigestAuthenticationProvider.superDigest=super:abc=\nminSessionTimeout=1000\nmaxSessionTimeout=3000\n"
          "datadir.autocreate=false\nDigestAuthenticationProvider.enabled=false\n")
          .config;
  EXPECT_EQ(config.listen_host, "");
  EXPECT_EQ(config.log_directory, "/l");
  EXPECT_EQ(config.connections_per_address_max, 0U);
  EXPECT_EQ(config.connections_max, 7U);
  EXPECT_EQ(config.handshake_timeout_ms, 11);
  EXPECT_EQ(config.frame_bytes_max, 0x100000U);
  EXPECT_EQ(config.outstanding_max, 12U);
  EXPECT_TRUE(config.keep_alive);
  EXPECT_EQ(config.sync_warning_us, 20000);
  EXPECT_EQ(config.snapshot_entries, 2U);
  EXPECT_EQ(config.snapshot_log_bytes, UINT64_MAX);
  EXPECT_EQ(config.segment_bytes, 2048U * 1024U);
  EXPECT_EQ(config.tree_bytes_max, 3U << 20);
  EXPECT_EQ(config.tail_entries_max, 9U);
  EXPECT_TRUE(config.enforce_quota && config.extended_types && config.reconfig_enabled);
  EXPECT_EQ(config.container_check_ms, 5);
  EXPECT_EQ(config.containers_per_minute_max, 6U);
  EXPECT_EQ(config.container_never_used_ms, 8);
  EXPECT_EQ(config.super_digest, "super:abc=");
  EXPECT_EQ(config.min_session_timeout_ms, 1000);
  EXPECT_EQ(config.max_session_timeout_ms, 3000);
  EXPECT_FALSE(config.create_directories || config.digest_enabled);
}

TEST(config, flags_win_over_the_file_and_origins_are_told) {
  const ConfigReading reading = read_more("tickTime=2000\nDigestAuthenticationProvider.superDigest=super:secret",
                                          {{"clientPort", "2190", "--client-port"}});
  EXPECT_TRUE(complaints(reading).empty()) << join(complaints(reading));
  EXPECT_EQ(reading.config.port, 2190);
  EXPECT_EQ(find_effective(reading, "clientPort")->origin, "--client-port");
  EXPECT_EQ(find_effective(reading, "tickTime")->origin, "zoo.cfg:3");
  EXPECT_EQ(find_effective(reading, "snapCount")->origin, "default");
  EXPECT_EQ(find_effective(reading, "DigestAuthenticationProvider.superDigest")->value, "(hidden)");
  EXPECT_FALSE(read_more("", {{"tickTime", "x", "--tick-time"}}).is_usable());
}

TEST(config, a_dynamic_file_holds_the_server_line) {
  const ConfigReading reading = read("dataDir=/d\ndynamicConfigFile=servers.dynamic\n");
  EXPECT_TRUE(reading.is_usable()) << join(complaints(reading));
  EXPECT_EQ(reading.config.port, 2199);
  EXPECT_EQ(reading.config.node, NodeId{3});
  EXPECT_FALSE(read("dataDir=/d\nserver.1=a:1:2;3\ndynamicConfigFile=servers.dynamic\n").is_usable());
}

TEST(config, the_client_part_of_the_server_line_must_agree_with_client_port) {
  EXPECT_TRUE(read_more("server.1=a:1:2;2181").is_usable());
  EXPECT_FALSE(read_more("server.1=a:1:2;2182").is_usable());
  const char* const line = "server.1=a:1:2;10.0.0.7:2181\n";
  EXPECT_TRUE(read_more(std::string(line) + "clientPortAddress=10.0.0.7").is_usable());
  EXPECT_TRUE(read_more(std::string(line) + "clientPortAddress=0.0.0.0").is_usable());
  EXPECT_TRUE(read_more(std::string(line) + "clientPortAddress=a").is_usable()) << "a name may be that address";
  EXPECT_NE(join(complaints(read_more(std::string(line) + "clientPortAddress=10.0.0.8")))
                .find("the client address 10.0.0.7 here differs from clientPortAddress=10.0.0.8 at zoo.cfg:4"),
            std::string::npos);
  EXPECT_FALSE(read_more("server.1=a:1:2;2181\nclientPortAddress=10.0.0.8").is_usable());
  EXPECT_FALSE(read_more("server.1=a:1:2;2181\nclientPortAddress=a").is_usable());
  EXPECT_FALSE(read("dataDir=/d\nserver.1=a:1:2;10.0.0.7:2182\nclientPortAddress=10.0.0.8\n").is_usable());
  const ConfigReading bound = read("dataDir=/d\nserver.1=a:1:2:participant;10.0.0.7:2182\n");
  EXPECT_EQ(bound.config.listen_host, "10.0.0.7");
  EXPECT_EQ(bound.config.port, 2182);
}

TEST(config, server_lines_of_the_modes_that_start) {  // Operations 1.2, 1.5
  EXPECT_TRUE(read_more("standaloneEnabled=false\nserver.1=a:1:2").is_usable());
  EXPECT_TRUE(read_more("multiAddress.enabled=true\nserver.1=a:1:2|b:3:4").is_usable());
}

TEST(server_line, all_forms_of_operations_1_5) {
  struct Case {
    const char* value;
    ServerLine expected;
  };
  const std::vector<Case> cases = {
      {"h:2888:3888", {.id = 5, .host = "h", .quorum_port = 2888, .election_port = 3888}},
      {"h:1:2:OBSERVER", {.id = 5, .observer = true, .host = "h", .quorum_port = 1, .election_port = 2}},
      {"h:1:2:participant;2181",
       {.id = 5, .host = "h", .quorum_port = 1, .election_port = 2, .has_client = true, .client_port = 2181}},
      {"[2001:db8::1]:1:2;[::1]:2181",
       {.id = 5,
        .host = "2001:db8::1",
        .quorum_port = 1,
        .election_port = 2,
        .has_client = true,
        .client_host = "::1",
        .client_port = 2181}},
      {"a:1:2|b:3:4", {.id = 5, .host = "a", .quorum_port = 1, .election_port = 2, .addresses = 2}},
      {"a:1:2;2181;2281",
       {.id = 5, .host = "a", .quorum_port = 1, .election_port = 2, .has_client = true, .client_port = 2181}},
  };
  for (const Case& sample : cases) {
    const Result<ServerLine> line = parse_server_line("server.5", sample.value);
    ASSERT_TRUE(line.has_value()) << sample.value << ": " << line.error().message;
    EXPECT_EQ(*line, sample.expected) << sample.value;
  }
  for (const char* bad : {"", "h", "h:1", "h:1:x", "h:x:1", "h:1:2:leader", "h:1:2:observer:3", "h:1:2;x",
                          "h:1:2;a:b:3", "h:1:2;3;4;5", ":1:2", "a:1:2|b:3:4:observer", "h:1:70000", "h:1:1"}) {
    EXPECT_FALSE(parse_server_line("server.5", bad).has_value()) << bad;
  }
  EXPECT_FALSE(parse_server_line("server.x", "h:1:2").has_value());
}

}  // namespace
}  // namespace quorate::server
