#include "raft/testing/scenario.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <iterator>
#include <map>
#include <memory>
#include <sstream>
#include <utility>

#include "raft/describe.hpp"
#include "raft/testing/cluster.hpp"
#include "raft/testing/notation.hpp"

namespace quorate::raft::testing {
namespace {

using Words = std::vector<std::string>;

unsigned number(const std::string& word) {
  return static_cast<unsigned>(std::stoul(word));
}

std::string joined(const Words& words, std::size_t from) {
  std::string text;
  for (std::size_t i = from; i < words.size(); ++i) {
    text += (text.empty() ? "" : " ") + words[i];
  }
  return text;
}

class Player {
 public:
  std::vector<std::string> play(const std::vector<std::string>& commands) {
    trace_.clear();
    for (const std::string& command : commands) {
      if (command.empty() || command.front() == '#') {
        continue;
      }
      std::istringstream stream(command);
      Words words;
      for (std::string word; stream >> word;) {
        words.push_back(word);
      }
      obey(words);
    }
    return std::move(trace_);
  }

 private:
  void obey(const Words& words) {
    static const std::map<std::string, void (Player::*)(const Words&)> commands = {
        {"servers", &Player::servers},   {"option", &Player::option},
        {"disk", &Player::disk},         {"set", &Player::set},
        {"add", &Player::add},           {"replace", &Player::replace},
        {"campaign", &Player::campaign}, {"tick", &Player::tick},
        {"pause", &Player::pause},       {"write", &Player::write},
        {"deliver", &Player::deliver},   {"repeat", &Player::repeat},
        {"drop", &Player::drop},         {"hold", &Player::hold},
        {"release", &Player::release},   {"settle", &Player::settle},
        {"run", &Player::run},           {"cut", &Player::cut},
        {"heal", &Player::heal},         {"crash", &Player::crash},
        {"stall", &Player::stall},       {"restart", &Player::restart},
        {"forge", &Player::forge},       {"propose", &Player::propose},
        {"read", &Player::read},         {"compact", &Player::compact},
        {"transfer", &Player::transfer}, {"gone", &Player::gone},
        {"lost", &Player::lost},         {"members", &Player::members},
        {"judges", &Player::judges},     {"state", &Player::state},
        {"logs", &Player::logs},         {"configurations", &Player::configurations},
        {"peers", &Player::peers},       {"lease", &Player::lease},
        {"fate", &Player::fate},         {"quiet", &Player::quiet},
        {"loud", &Player::loud},
    };
    const auto command = commands.find(words.front());
    if (command == commands.end()) {
      ADD_FAILURE() << "no command '" << words.front() << "'";
      return;
    }
    (this->*command->second)(words);
  }

  void servers(const Words& words) {
    cluster_ = std::make_unique<Cluster>(members_of(words, 1), config_, 1);
    cluster_->trace_to(&trace_);
  }

  static void choose(Config& config, const std::string& name, const std::string& value) {
    const std::map<std::string, bool*> switches = {{"pre_vote", &config.has_pre_vote},
                                                   {"check_quorum", &config.has_check_quorum},
                                                   {"stickiness", &config.has_stickiness},
                                                   {"leases", &config.has_leases},
                                                   {"votes", &config.may_vote}};
    const std::map<std::string, std::size_t*> limits = {{"window", &config.limits.inflight_messages_max},
                                                        {"tail", &config.limits.tail_entries_max},
                                                        {"uncommitted", &config.limits.uncommitted_entries_max},
                                                        {"snapshots", &config.limits.snapshot_sends_max},
                                                        {"message_bytes", &config.limits.message_bytes_max}};
    if (name == "single_entries") {
      config.limits.message_entries_max = value == "on" ? 1 : Limits{}.message_entries_max;
    } else if (name == "priority") {
      config.priority = number(value);
    } else if (switches.contains(name)) {
      *switches.at(name) = value == "on";
    } else if (limits.contains(name)) {
      *limits.at(name) = number(value);
    } else {
      ADD_FAILURE() << "no option '" << name << "'";
    }
  }
  void option(const Words& words) { choose(config_, words.at(1), words.at(2)); }
  void set(const Words& words) {
    const unsigned id = number(words.at(1));
    Config config = cluster_->config_of(NodeId{id});
    choose(config, words.at(2), words.at(3));
    cluster_->configure(id, config);
    cluster_->crash(id);
    cluster_->restart(id);
  }

  void disk(const Words& words) {
    Server& server = cluster_->server(number(words.at(1)));
    Disk& disk = server.disk;
    disk.hard_state = HardState{};
    disk.entries.clear();
    for (std::size_t i = 2; i < words.size(); ++i) {
      if (words[i] == "term") {
        disk.hard_state.term = Term{number(words.at(++i))};
      } else if (words[i] == "vote") {
        disk.hard_state.vote = NodeId{number(words.at(++i))};
      } else if (words[i] != "log") {
        disk.entries.push_back(entry_of(words[i], Index{disk.entries.size() + 1}));
      }
    }
    server.writes.clear();
    cluster_->crash(raw(server.id));
    cluster_->restart(raw(server.id));
  }

  void add(const Words& words) { cluster_->add_server(number(words.at(1))); }

  void replace(const Words& words) { cluster_->replace_server(number(words.at(1))); }

  void campaign(const Words& words) {
    const unsigned id = number(words.at(1));
    const Role before = cluster_->core(id).role();
    const Term term = cluster_->core(id).term();
    // In half timeouts, so that no step looks like a pause.
    for (int step = 0; step < 20; ++step) {
      cluster_->advance(id, config_.timing.election_us / 4);
      const bool is_new = cluster_->core(id).role() != before || cluster_->core(id).term() != term;
      if (is_new && cluster_->core(id).role() != Role::follower) {
        return;
      }
    }
    trace_.push_back(words.at(1) + " does not campaign");
  }

  void tick(const Words& words) {
    const std::int64_t step_us = 50'000;
    const bool is_one = words.size() == 3;
    const std::int64_t total_us = std::int64_t{1000} * number(words.back());
    for (std::int64_t done = 0; done < total_us; done += step_us) {
      is_one ? cluster_->advance(number(words[1]), step_us) : cluster_->advance(step_us);
    }
  }

  void pause(const Words& words) { cluster_->advance(number(words.at(1)), std::int64_t{1000} * number(words.at(2))); }

  void write(const Words& words) {
    for (auto& [id, server] : cluster_->servers()) {
      const bool is_meant = words.size() == 1 || number(words[1]) == raw(id);
      const std::size_t most = words.size() > 2 ? number(words[2]) : server.writes.size();
      for (std::size_t left = is_meant && server.is_up ? std::min(most, server.writes.size()) : 0; left > 0; --left) {
        cluster_->finish_write(server);
      }
    }
  }

  // What is under way now and is meant; what the deliveries bring forth stays.
  std::vector<std::size_t> meant(const Words& words) {
    std::vector<std::size_t> packets;
    for (std::size_t i = 0; i < cluster_->network().size(); ++i) {
      const Packet& packet = cluster_->network()[i];
      const bool is_between =
          words.size() == 1 || (raw(packet.from) == number(words.at(1)) && raw(packet.to) == number(words.at(2)));
      if (is_between && describe(packet.message).starts_with(joined(words, 3))) {
        packets.push_back(i);
      }
    }
    return packets;
  }

  void deliver(const Words& words) {
    std::size_t gone = 0;
    for (const std::size_t packet : meant(words)) {
      cluster_->deliver(packet - gone++, false);
    }
  }
  void repeat(const Words& words) {
    for (const std::size_t packet : meant(words)) {
      cluster_->deliver(packet, true);
    }
  }
  void drop(const Words& words) {
    std::size_t gone = 0;
    for (const std::size_t packet : meant(words)) {
      cluster_->drop(packet - gone++);
    }
  }
  void hold(const Words& words) {
    for (const std::size_t packet : meant(words)) {
      held_.push_back(cluster_->network()[packet]);
    }
    drop(words);
  }
  void release(const Words& /*words*/) {
    std::ranges::move(held_, std::back_inserter(cluster_->network()));
    held_.clear();
  }

  void settle(const Words& /*words*/) { cluster_->settle(); }
  void heal(const Words& /*words*/) { cluster_->heal(); }
  void run(const Words& words) { cluster_->run(std::int64_t{1000} * number(words.at(1))); }

  void cut(const Words& words) {
    if (const auto arrow = std::ranges::find(words, ">"); arrow != words.end()) {
      for (auto other = std::next(arrow); other != words.end(); ++other) {
        cluster_->cut(number(words.at(1)), number(*other));
      }
      return;
    }
    std::vector<std::pair<unsigned, std::size_t>> sides;
    std::size_t side = 0;
    for (auto word = std::next(words.begin()); word != words.end(); ++word) {
      if (*word == "|") {
        ++side;
        continue;
      }
      for (const auto& [other, its_side] : sides) {
        if (its_side != side) {
          cluster_->cut(number(*word), other);
          cluster_->cut(other, number(*word));
        }
      }
      sides.emplace_back(number(*word), side);
    }
  }

  void stall(const Words& words) { cluster_->server(number(words.at(1))).is_stalled = words.size() == 2; }
  void crash(const Words& words) { cluster_->crash(number(words.at(1))); }
  void restart(const Words& words) { cluster_->restart(number(words.at(1)), words.size() > 2 ? number(words[2]) : 0); }

  void forge(const Words& words) {
    const unsigned to = number(words.at(2));
    const Words text(words.begin() + 3, words.end());
    Result<Message> message = message_of(text, cluster_->core(to));
    if (!message) {
      ADD_FAILURE() << message.error().message;
      return;
    }
    report(words.at(2), cluster_->forge(number(words.at(1)), to, std::move(*message)));
  }

  void report(const std::string& what, const Result<void>& result) {
    if (!result) {
      trace_.push_back(what + " refused: " + result.error().message);
    }
  }

  void propose(const Words& words) {
    const unsigned times = words.size() > 3 ? number(words[3]) : 1;
    for (unsigned i = 0; i < times; ++i) {
      const Result<Index> index = cluster_->propose(number(words.at(1)), words.at(2));
      if (!index) {
        trace_.push_back("refused: " + index.error().message);
      }
    }
  }
  void read(const Words& words) { cluster_->read(number(words.at(1))); }
  void compact(const Words& words) { cluster_->compact(number(words.at(1))); }
  void transfer(const Words& words) {
    const unsigned id = number(words.at(1));
    report("transfer", cluster_->core(id).transfer_leadership(NodeId{number(words.at(2))}));
    cluster_->collect(cluster_->server(id));
  }
  void gone(const Words& words) {
    const unsigned id = number(words.at(1));
    cluster_->core(id).leader_is_gone(NodeId{number(words.at(2))});
    cluster_->advance(id, config_.timing.heartbeat_us / 4);
  }
  void lost(const Words& words) {
    const unsigned id = number(words.at(1));
    cluster_->core(id).unreachable(NodeId{number(words.at(2))});
    cluster_->collect(cluster_->server(id));
  }
  void members(const Words& words) {
    const unsigned id = number(words.at(1));
    const bool is_forced = words.at(2) == "forced";
    report("change", cluster_->core(id).change_members(members_of(words, is_forced ? 3 : 2), is_forced));
    cluster_->collect(cluster_->server(id));
  }

  void state(const Words& /*words*/) {
    for (const auto& [id, server] : cluster_->servers()) {
      trace_.push_back(server.is_up ? describe(*server.core) : "server " + std::to_string(raw(id)) + " is down");
    }
  }

  void judges(const Words& /*words*/) { cluster_->tolerate_violations(); }

  void logs(const Words& /*words*/) {
    for (const auto& [id, server] : cluster_->servers()) {
      const Log& log = server.core->log();
      std::string line = std::to_string(raw(id)) + ":";
      line += raw(log.start().index) == 0 ? "" : " (" + describe(log.start()) + ")";
      for (Index index = log.first(); index <= log.last().index; index = next(index)) {
        line += " " + std::to_string(raw(*log.term_at(index)));
        line += log.at(index).kind == EntryKind::configuration ? "c" : "";
      }
      trace_.push_back(line);
    }
  }

  void configurations(const Words& /*words*/) {
    for (const auto& [id, server] : cluster_->servers()) {
      if (server.is_up) {
        const Core& core = *server.core;
        trace_.push_back(std::to_string(raw(id)) + ": " + describe(core.configuration()) + " of " +
                         describe(core.configuration_id()));
      }
    }
  }
  void peers(const Words& words) {
    for (const Progress& peer : cluster_->core(number(words.at(1))).peers()) {
      trace_.push_back(describe(peer));
    }
  }
  void lease(const Words& words) {
    const Core& core = cluster_->core(number(words.at(1)));
    trace_.push_back(words.at(1) +
                     (core.holds_lease(cluster_->clock_of(number(words.at(1)))) ? " holds a" : " has no") + " lease");
  }
  void fate(const Words& words) {
    std::string line = words.at(1) + (cluster_->is_answered(words.at(1)) ? " is answered" : " is not answered");
    std::string holders;
    std::string applied;
    for (const auto& [id, server] : cluster_->servers()) {
      const auto& entries = server.disk.entries;
      const auto is_it = [&words](const Entry& entry) { return entry.command.view() == words.at(1); };
      const auto found = std::ranges::find_if(entries, is_it);
      if (found != entries.end()) {
        holders += " " + std::to_string(raw(id));
        applied += found->index <= server.state.index ? " " + std::to_string(raw(id)) : "";
      }
    }
    line += holders.empty() ? ", on no disk" : ", on the disks of" + holders;
    line += applied.empty() ? ", applied nowhere" : ", applied by" + applied;
    trace_.push_back(line);
  }

  void quiet(const Words& /*words*/) { cluster_->trace_to(nullptr); }
  void loud(const Words& /*words*/) { cluster_->trace_to(&trace_); }

  Config config_;
  std::unique_ptr<Cluster> cluster_;
  std::vector<Packet> held_;
  std::vector<std::string> trace_;
};

}  // namespace

std::vector<ScenarioBlock> parse_scenario(const std::string& text) {
  std::vector<ScenarioBlock> blocks;
  std::istringstream stream(text);
  bool in_commands = false;
  for (std::string line; std::getline(stream, line);) {
    if (line == "----") {
      in_commands = false;
    } else if (line.empty()) {
      in_commands = false;
      if (!blocks.empty() && (!blocks.back().commands.empty())) {
        blocks.emplace_back();
      }
    } else {
      if (blocks.empty()) {
        blocks.emplace_back();
      }
      in_commands = in_commands || (blocks.back().commands.empty() && blocks.back().expected.empty());
      (in_commands ? blocks.back().commands : blocks.back().expected).push_back(line);
    }
  }
  std::erase_if(blocks, [](const ScenarioBlock& block) { return block.commands.empty(); });
  return blocks;
}

std::vector<std::vector<std::string>> play(const std::vector<ScenarioBlock>& blocks) {
  Player player;
  std::vector<std::vector<std::string>> traces;
  traces.reserve(blocks.size());
  for (const ScenarioBlock& block : blocks) {
    traces.push_back(player.play(block.commands));
  }
  return traces;
}

std::string written(const std::vector<ScenarioBlock>& blocks) {
  std::string text;
  for (const ScenarioBlock& block : blocks) {
    text += text.empty() ? "" : "\n";
    for (const std::string& line : block.commands) {
      text += line + "\n";
    }
    text += "----\n";
    for (const std::string& line : block.expected) {
      text += line + "\n";
    }
  }
  return text;
}

}  // namespace quorate::raft::testing
