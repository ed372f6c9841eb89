#include "server/config.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include "admin/four_letter_words.hpp"
#include "base/ensure.hpp"
#include "base/limits.hpp"
#include "server/config_values.hpp"
#include "server/properties.hpp"
#include "server/server_line.hpp"

namespace quorate::server {

namespace {

using Severity = Finding::Severity;

struct Value {
  std::string text;
  std::string origin;
};

class Reader {
 public:
  explicit Reader(const ConfigInput& input) : input_(input) {}

  ConfigReading read() {
    read_file();
    for (const FlagValue& flag : input_.flags) {
      take(flag.key, flag.value, flag.flag, true);
    }
    read_dynamic_file();
    judge_servers();
    fill_config();
    list_effective();
    return std::move(reading_);
  }

 private:
  void report(Severity severity, std::string origin, std::string text) {
    reading_.findings.push_back(Finding{.severity = severity, .origin = std::move(origin), .text = std::move(text)});
  }

  void read_file() {
    if (!input_.file_text) {
      return;
    }
    Result<std::vector<Property>> properties = parse_properties(*input_.file_text);
    if (!properties) {
      report(Severity::error, input_.file_name, properties.error().message);
      return;
    }
    for (const Property& property : *properties) {
      take(property.key, property.value, input_.file_name + ":" + std::to_string(property.line), false);
    }
  }

  void take(const std::string& key, const std::string& value, const std::string& origin, bool is_flag) {
    if (const Setting* setting = find_setting(key); setting != nullptr) {
      take_setting(*setting, value, origin, is_flag);
    } else if (is_numbered(key, "server")) {
      take_server(key, value, origin);
    } else if (is_numbered(key, "authProvider")) {
      take_provider(value, origin);
    } else if (is_numbered(key, "group") || is_numbered(key, "weight")) {
      report(Severity::note, origin, key + " has no effect on one server");
    } else if (is_numbered(key, "superUser")) {
      report(Severity::warning, origin, key + " has no effect: SASL comes later");
    } else if (is_java_setting(key)) {
      report(Severity::warning, origin,
             key + " has no meaning here: it is about ZooKeeper's threads, virtual machine or libraries");
    } else {
      const std::string nearest = nearest_setting(key);
      report(Severity::warning, origin,
             "unknown setting \"" + key + "\" is ignored" +
                 (nearest.empty() ? std::string() : "; did you mean " + nearest + "?"));
    }
  }

  void take_setting(const Setting& setting, const std::string& value, const std::string& origin, bool is_flag) {
    if (const auto earlier = values_.find(&setting); earlier != values_.end() && !is_flag) {
      report(Severity::warning, origin,
             std::string(setting.name) + " was already set at " + earlier->second.origin + "; the last one wins");
    }
    if (!is_well_formed(setting, value, origin)) {
      malformed_.insert(setting.name);
      return;
    }
    values_[&setting] = Value{.text = within_range(setting, value), .origin = origin};
    judge_effect(setting, value, origin);
  }

  // Nobody must believe in a limit or a promise that is not kept. What asks for nothing but the default is kept.
  void judge_effect(const Setting& setting, const std::string& value, const std::string& origin) {
    const bool asks_for_it =
        !value.empty() && value != setting.standard && (lower(value) != "false" || setting.effect == Effect::ignored);
    const std::string name(setting.name);
    if (setting.effect == Effect::upcoming && asks_for_it) {
      report(Severity::warning, origin, name + " has no effect in this version: " + std::string(setting.meaning));
    } else if (setting.effect == Effect::ignored && asks_for_it) {
      report(Severity::warning, origin, name + " has no meaning here: " + std::string(setting.meaning));
    } else if (setting.effect == Effect::implied) {
      report(Severity::note, origin, name + " changes nothing: " + std::string(setting.meaning));
    } else if (setting.effect == Effect::ignored || setting.effect == Effect::cluster) {
      report(Severity::note, origin, name + " is accepted without effect");
    }
  }

  bool is_well_formed(const Setting& setting, const std::string& value, const std::string& origin) {
    const std::string name(setting.name);
    const std::string folded = lower(value);
    switch (setting.kind) {
      case Kind::integer:
      case Kind::size:
        return is_number_in_range(setting, value, origin);
      case Kind::decimal:
        if (!parse_fraction(value)) {
          report(Severity::error, origin, name + ": \"" + value + "\" is not a number; write one like 0.33");
          return false;
        }
        return true;
      case Kind::boolean:
        if (folded != "true" && folded != "false") {
          report(Severity::error, origin,
                 name + ": \"" + value + "\" is neither true nor false" + remedy(folded, "true", "false"));
          return false;
        }
        return true;
      case Kind::lenient:
        if (folded != "true" && folded != "false") {
          report(Severity::warning, origin,
                 name + ": \"" + value + "\" is read as false, as ZooKeeper does; write true or false");
        }
        return true;
      case Kind::yes_no:
        if (folded != "yes" && folded != "no") {
          report(Severity::error, origin,
                 name + ": \"" + value + "\" is neither yes nor no" + remedy(folded, "yes", "no"));
          return false;
        }
        return true;
      case Kind::text:
      case Kind::secret:
        return true;
    }
    fail("a kind is one of those");
  }

  bool is_number_in_range(const Setting& setting, const std::string& value, const std::string& origin) {
    const std::optional<std::int64_t> number = parse_integer(value, setting.kind == Kind::size);
    if (!number) {
      report(Severity::error, origin,
             std::string(setting.name) + ": \"" + value + "\" is not a whole decimal number" +
                 (setting.unit.empty() ? std::string() : " (" + std::string(setting.unit) + ")"));
      return false;
    }
    if (*number < setting.minimum || *number > setting.maximum) {
      const std::int64_t nearest = std::clamp(*number, setting.minimum, setting.maximum);
      report(setting.takes_nearest ? Severity::warning : Severity::error, origin,
             std::string(setting.name) + ": " + value + " is out of range (" + std::to_string(setting.minimum) +
                 " to " + std::to_string(setting.maximum) + "); the nearest value" +
                 (setting.takes_nearest ? " is taken: " : " is ") + std::to_string(nearest));
      return setting.takes_nearest;
    }
    return true;
  }

  // The value as it takes effect: the nearest one where ZooKeeper would start with what was written.
  static std::string within_range(const Setting& setting, const std::string& value) {
    if (!setting.takes_nearest) {
      return value;
    }
    const std::int64_t number = parse_integer(value, setting.kind == Kind::size).value_or(setting.minimum);
    const std::int64_t nearest = std::clamp(number, setting.minimum, setting.maximum);
    return nearest == number ? value : std::to_string(nearest);
  }

  void take_server(const std::string& key, const std::string& value, const std::string& origin) {
    Result<ServerLine> line = parse_server_line(key, value);
    if (!line) {
      report(Severity::error, origin, key + ": " + line.error().message);
      return;
    }
    servers_.insert_or_assign(line->id, std::pair{*line, origin});
  }

  // Classes are recognised by their last part (operations 1.9); an unknown one would leave ACLs that nobody can match.
  void take_provider(const std::string& value, const std::string& origin) {
    const std::string name = value.substr(value.rfind('.') + 1);
    if (name == "DigestAuthenticationProvider" || name == "IPAuthenticationProvider") {
      report(Severity::note, origin, name + " is built in");
    } else if (name == "SASLAuthenticationProvider" || name == "X509AuthenticationProvider" ||
               name == "EnsembleAuthenticationProvider" || name == "KeyAuthenticationProvider") {
      report(Severity::warning, origin, name + " has no effect in this version: it comes later");
    } else {
      report(Severity::error, origin,
             "the authentication provider \"" + value + "\" is not known; Java classes cannot be loaded");
    }
  }

  void read_dynamic_file() {
    const Value* named = find("dynamicConfigFile");
    if (named == nullptr) {
      return;
    }
    if (!servers_.empty()) {
      report(Severity::error, named->origin, "server lines stand either here or in dynamicConfigFile, not in both");
      return;
    }
    Result<std::string> text = input_.read_file
                                   ? input_.read_file(named->text)
                                   : Result<std::string>(failure(ErrorCode::not_found, "it cannot be read"));
    if (!text) {
      report(Severity::error, named->origin, "dynamicConfigFile " + named->text + ": " + text.error().message);
      return;
    }
    Result<std::vector<Property>> properties = parse_properties(*text);
    if (!properties) {
      report(Severity::error, named->text, properties.error().message);
      return;
    }
    for (const Property& property : *properties) {
      const std::string origin = named->text + ":" + std::to_string(property.line);
      if (is_numbered(property.key, "server")) {
        take_server(property.key, property.value, origin);
      } else if (property.key != "version" && !is_numbered(property.key, "group") &&
                 !is_numbered(property.key, "weight")) {
        report(Severity::error, origin, "\"" + property.key + "\" does not belong here: only server, group and weight");
      }
    }
  }

  // Which mode starts (operations 1.2).
  void judge_servers() {
    judge_addresses();
    const auto voters = std::ranges::count_if(servers_, [](const auto& each) { return !each.second.first.observer; });
    if (voters > 1) {
      const auto& [line, origin] = std::next(servers_.begin())->second;
      report(
          Severity::error, origin,
          std::to_string(voters) +
              " servers are listed, but this version runs alone: clusters come later. Keep one server line, or none");
      return;
    }
    if (static_cast<std::size_t>(voters) != servers_.size()) {
      report(Severity::error, servers_.begin()->second.second, "observers need a cluster, and clusters come later");
      return;
    }
    if (voters == 0) {
      if (!is_true("standaloneEnabled")) {
        report(Severity::error, origin_of("standaloneEnabled"),
               "standaloneEnabled=false, but no server line is there; add one for this server, or remove it");
      }
      return;
    }
    const auto& [line, origin] = servers_.begin()->second;
    report(Severity::warning, origin, "one server line: this server runs alone");
    if (line.id == 0 || line.id > limits::node_id_max) {
      report(Severity::error, origin, "the server's number must be 1 to " + std::to_string(limits::node_id_max));
      return;
    }
    reading_.config.node = NodeId{static_cast<std::uint32_t>(line.id)};
    take_client_part(line, origin);
  }

  // Operations 1.5: several addresses need to be allowed.
  void judge_addresses() {
    for (const auto& [id, server] : servers_) {
      const auto& [line, origin] = server;
      if (line.addresses > 1 && !is_true("multiAddress.enabled")) {
        report(Severity::error, origin,
               "server." + std::to_string(id) +
                   " has several addresses, but multiAddress.enabled is not set; add multiAddress.enabled=true");
      }
    }
  }

  void take_client_part(const ServerLine& line, const std::string& origin) {
    if (!line.has_client) {
      return;
    }
    const Setting* port = find_setting("clientPort");
    const Setting* host = find_setting("clientPortAddress");
    if (const Value* given = find("clientPort"); given != nullptr) {
      if (parse_integer(given->text, false) != line.client_port) {
        report(Severity::error, origin,
               "the client port " + std::to_string(line.client_port) + " here differs from clientPort at " +
                   given->origin);
      }
      judge_client_host(line, origin);
      return;
    }
    if (const Value* address = find("clientPortAddress"); address != nullptr) {
      report(Severity::error, address->origin,
             "clientPortAddress needs clientPort beside it; add clientPort, or write the address into the server line");
      return;
    }
    values_[port] = Value{.text = std::to_string(line.client_port), .origin = origin};
    if (line.client_host != "0.0.0.0") {
      values_[host] = Value{.text = line.client_host, .origin = origin};
    }
  }

  // Operations 1.5: the same address, unless clientPort binds to all.
  void judge_client_host(const ServerLine& line, const std::string& origin) {
    const Value* address = find("clientPortAddress");
    if (address == nullptr || address->text == "0.0.0.0" || address->text == "::" ||
        may_be_one_host(address->text, line.client_host)) {
      return;
    }
    report(Severity::error, origin,
           "the client address " + line.client_host + " here differs from clientPortAddress=" + address->text + " at " +
               address->origin + "; write the same in both, or leave one out");
  }

  const Value* find(std::string_view name) const {
    const auto found = values_.find(setting_named(name));
    return found == values_.end() ? nullptr : &found->second;
  }

  static const Setting* setting_named(std::string_view name) {
    const Setting* setting = find_setting(name);
    ensure(setting != nullptr, "every name used here stands in the table");
    return setting;
  }

  std::string text(std::string_view name) const {
    const Value* value = find(name);
    return value != nullptr ? value->text : std::string(setting_named(name)->standard);
  }
  std::int64_t number(std::string_view name) const { return parse_integer(text(name), true).value_or(0); }
  double fraction(std::string_view name) const { return parse_fraction(text(name)).value_or(0); }
  bool is_true(std::string_view name) const { return lower(text(name)) == "true"; }
  bool is_yes(std::string_view name) const { return lower(text(name)) == "yes"; }
  std::string origin_of(std::string_view name) const {
    const Value* value = find(name);
    return value != nullptr ? value->origin : "default";
  }

  void fill_config() {
    fill_places();
    fill_times_and_limits();
    fill_storage_and_tree();
    fill_access();
  }

  void fill_places() {
    Config& config = reading_.config;
    const bool from_file = input_.file_text.has_value();
    if (from_file && find("dataDir") == nullptr && !malformed_.contains("dataDir")) {
      report(Severity::error, input_.file_name, "dataDir is missing; add a line like dataDir=/var/lib/quorate");
    }
    if (from_file && find("clientPort") == nullptr && !malformed_.contains("clientPort")) {
      const Value* host = find("clientPortAddress");
      report(Severity::error, host != nullptr ? host->origin : input_.file_name,
             "clientPort is missing; add the line clientPort=2181");
    }
    config.data_directory = text("dataDir");
    config.log_directory = find("dataLogDir") != nullptr ? text("dataLogDir") : config.data_directory;
    for (const char* name : {"dataDir", "dataLogDir"}) {
      if (const Value* value = find(name); value != nullptr && value->text.empty()) {
        report(Severity::error, value->origin, std::string(name) + " is empty; write a directory");
      }
    }
    if (find("clientPortAddress") != nullptr) {
      config.listen_host = text("clientPortAddress");
      if (config.listen_host == "0.0.0.0") {
        config.listen_host.clear();
      }
    } else {
      config.listen_host = from_file ? "" : "127.0.0.1";
    }
    config.port = static_cast<std::uint16_t>(number("clientPort"));
    config.listen_backlog = static_cast<int>(number("clientPortListenBacklog"));
    config.create_directories = is_true("datadir.autocreate");
  }

  void fill_times_and_limits() {
    Config& config = reading_.config;
    config.tick_ms = static_cast<std::int32_t>(number("tickTime"));
    const std::int64_t minimum = number("minSessionTimeout");
    const std::int64_t maximum = number("maxSessionTimeout");
    for (const char* name : {"minSessionTimeout", "maxSessionTimeout"}) {
      // A timeout of 0 is how a refused session is told from a granted one (protocol 1.5).
      if (number(name) == 0) {
        report(Severity::error, origin_of(name),
               std::string(name) + ": 0 is no session timeout; write at least 1, or -1 for the default");
      }
    }
    const std::int64_t shortest = minimum == -1 ? std::int64_t{2} * config.tick_ms : minimum;
    const std::int64_t longest = maximum == -1 ? std::int64_t{20} * config.tick_ms : maximum;
    if (shortest > longest) {
      report(Severity::error, minimum != -1 ? origin_of("minSessionTimeout") : origin_of("maxSessionTimeout"),
             "minSessionTimeout is " + std::to_string(shortest) + " ms, above maxSessionTimeout with " +
                 std::to_string(longest) + " ms");
    }
    config.min_session_timeout_ms = static_cast<std::int32_t>(shortest);
    config.max_session_timeout_ms = static_cast<std::int32_t>(longest);
    config.handshake_timeout_ms = static_cast<std::int32_t>(number("nio.sessionlessCnxnTimeout"));
    config.connections_per_address_max = static_cast<std::size_t>(std::max<std::int64_t>(number("maxClientCnxns"), 0));
    config.connections_max = static_cast<std::size_t>(number("maxCnxns"));
    config.frame_bytes_max = static_cast<std::size_t>(number("jute.maxbuffer"));
    config.outstanding_max = static_cast<std::size_t>(number("globalOutstandingLimit"));
    config.keep_alive = is_true("clientTcpKeepAlive");
    config.throttled_op_wait_ms = number("throttledOpWaitTime");
    config.large_request_threshold = number("largeRequestThreshold");
    config.large_request_bytes_max = static_cast<std::size_t>(number("largeRequestMaxBytes"));
    config.request_throttle_max = static_cast<std::size_t>(number("requestThrottleLimit"));
    config.drops_late_requests = is_true("requestThrottleDropStale") && is_true("requestStaleLatencyCheck");
    config.connection_throttle = {.tokens_max = number("connectionMaxTokens"),
                                  .fill_ms = number("connectionTokenFillTime"),
                                  .fill_count = number("connectionTokenFillCount"),
                                  .freeze_ms = number("connectionFreezeTime"),
                                  .drop_increase = fraction("connectionDropIncrease"),
                                  .drop_decrease = fraction("connectionDropDecrease"),
                                  .decrease_ratio = fraction("connectionDecreaseRatio")};
    if (is_true("connection_throttle_weight_enabled")) {
      config.connection_throttle.new_session_weight = number("connection_throttle_global_session_weight");
      config.connection_throttle.renewed_session_weight = number("connection_throttle_renew_session_weight");
    }
  }

  void fill_storage_and_tree() {
    Config& config = reading_.config;
    config.force_sync = is_yes("forceSync");
    if (!config.force_sync) {
      report(Severity::warning, origin_of("forceSync"),
             "forceSync=no: writes are acknowledged before they are on disk; a crash of the machine loses them");
    }
    config.sync_warning_us = number("fsync.warningthresholdms") * 1000;
    config.snapshot_entries = static_cast<std::uint64_t>(std::max<std::int64_t>(number("snapCount"), 2));
    config.snapshots_kept = static_cast<std::size_t>(number("autopurge.snapRetainCount"));
    const std::int64_t volume = number("snapSizeLimitInKb");
    config.snapshot_log_bytes = volume <= 0 ? UINT64_MAX : static_cast<std::uint64_t>(volume) * 1024;
    config.tree_bytes_max = static_cast<std::size_t>(number("treeMemoryLimitInMb")) << 20;
    config.segment_bytes = static_cast<std::uint64_t>(number("preAllocSize")) * 1024;
    config.tail_entries_max = static_cast<std::size_t>(number("commitLogCount"));
    config.checks_acls_early = is_true("enableEagerACLCheck");
    config.skip_acl = is_yes("skipACL");
    if (config.skip_acl) {
      report(Severity::warning, origin_of("skipACL"), "skipACL=yes: no ACL is checked");
    }
    config.enforce_quota = is_true("enforceQuota");
    config.extended_types = is_true("extendedTypesEnabled");
    config.reconfig_enabled = is_true("reconfigEnabled");
    config.container_check_ms = number("znode.container.checkIntervalMs");
    config.container_never_used_ms = number("znode.container.maxNeverUsedIntervalMs");
    config.containers_per_minute_max = static_cast<std::size_t>(number("znode.container.maxPerMinute"));
  }

  void fill_access() {
    Config& config = reading_.config;
    config.super_digest = text("DigestAuthenticationProvider.superDigest");
    if (!config.super_digest.empty() && !config.super_digest.starts_with("super:")) {
      report(Severity::warning, origin_of("DigestAuthenticationProvider.superDigest"),
             "superDigest should be super:<base64>; as it is, nobody can match it");
    }
    config.digest_enabled = is_true("DigestAuthenticationProvider.enabled");
    fill_four_letter_words();
    if (is_true("sessionRequireClientSASLAuth")) {
      report(Severity::error, origin_of("sessionRequireClientSASLAuth"),
             "SASL comes later, so this would lock every client out; remove it or keep ZooKeeper for now");
    }
    if (!is_true("enforce.auth.enabled")) {
      return;
    }
    config.enforced_schemes = split_list(text("enforce.auth.schemes"));
    if (config.enforced_schemes.empty()) {
      report(Severity::error, origin_of("enforce.auth.enabled"), "enforce.auth.schemes is missing; write digest or ip");
    }
    for (const std::string& scheme : config.enforced_schemes) {
      if (scheme != "digest" && scheme != "ip") {
        report(Severity::error, origin_of("enforce.auth.schemes"),
               "there is no provider for the scheme \"" + scheme + "\"; this version knows digest and ip");
      }
    }
  }

  void fill_four_letter_words() {
    reading_.config.four_letter_words = split_list(text("4lw.commands.whitelist"));
    for (const std::string& word : reading_.config.four_letter_words) {
      if (word != "*" && !admin::recognise(word)) {
        report(Severity::warning, origin_of("4lw.commands.whitelist"),
               "there is no four-letter word \"" + word + "\"; separate words with commas");
      }
    }
  }

  void list_effective() {
    for (const Setting& setting : settings()) {
      const auto found = values_.find(&setting);
      const std::string value = found != values_.end() ? found->second.text : std::string(setting.standard);
      if (found == values_.end() && (value.empty() || setting.effect != Effect::active)) {
        continue;
      }
      reading_.effective.push_back(
          Effective{.setting = &setting,
                    .value = setting.kind == Kind::secret && !value.empty() ? "(hidden)" : value,
                    .origin = found != values_.end() ? found->second.origin : "default"});
    }
  }

  const ConfigInput& input_;
  ConfigReading reading_;
  std::map<const Setting*, Value> values_;
  std::set<std::string_view> malformed_;  // Given, but unusable.
  std::map<std::uint64_t, std::pair<ServerLine, std::string>> servers_;
};

}  // namespace

std::string describe(const Finding& finding) {
  constexpr std::array<std::string_view, 3> words = {"note", "warning", "error"};
  return finding.origin + ": " + std::string(words[static_cast<std::size_t>(finding.severity)]) + ": " + finding.text;
}

bool ConfigReading::is_usable() const {
  return std::ranges::none_of(findings, [](const Finding& finding) { return finding.severity == Severity::error; });
}

ConfigReading read_config(const ConfigInput& input) {
  return Reader(input).read();
}

}  // namespace quorate::server
