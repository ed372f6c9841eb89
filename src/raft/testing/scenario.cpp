#include "raft/testing/scenario.hpp"

#include <algorithm>
#include <functional>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <sstream>
#include <utility>

#include "raft/describe.hpp"
#include "raft/testing/cluster.hpp"

namespace quorate::raft::testing {
namespace {

using Words = std::vector<std::string>;

unsigned number(const std::string& word) {
  return static_cast<unsigned>(std::stoul(word));
}

std::vector<Member> members_of(const Words& words, std::size_t from) {
  std::vector<Member> members;
  MemberRole role = MemberRole::voter;
  for (std::size_t i = from; i < words.size(); ++i) {
    if (words[i] == "learner") {
      role = MemberRole::learner;
      continue;
    }
    members.push_back(Member{.id = NodeId{number(words[i])}, .incarnation_low = 1, .role = role});
    role = MemberRole::voter;
  }
  return members;
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
        {"servers", &Player::servers}, {"option", &Player::option},     {"disk", &Player::disk},
        {"add", &Player::add},         {"campaign", &Player::campaign}, {"tick", &Player::tick},
        {"write", &Player::write},     {"deliver", &Player::deliver},   {"repeat", &Player::repeat},
        {"drop", &Player::drop},       {"settle", &Player::settle},     {"run", &Player::run},
        {"cut", &Player::cut},         {"heal", &Player::heal},         {"crash", &Player::crash},
        {"restart", &Player::restart}, {"propose", &Player::propose},   {"read", &Player::read},
        {"compact", &Player::compact}, {"transfer", &Player::transfer}, {"gone", &Player::gone},
        {"members", &Player::members}, {"state", &Player::state},       {"logs", &Player::logs},
        {"quiet", &Player::quiet},     {"loud", &Player::loud},
    };
    const auto command = commands.find(words.front());
    if (command == commands.end()) {
      ADD_FAILURE() << "no command '" << words.front() << "'";
      return;
    }
    (this->*command->second)(words);
  }

  void servers(const Words& words) {
    std::vector<unsigned> founders;
    for (const Member& member : members_of(words, 1)) {
      founders.push_back(raw(member.id));
    }
    cluster_ = std::make_unique<Cluster>(founders, config_, 1);
    cluster_->trace_to(&trace_);
  }

  void option(const Words& words) {
    const bool is_on = words.at(2) == "on";
    if (words.at(1) == "single_entries") {
      config_.limits.message_entries_max = is_on ? 1 : Limits{}.message_entries_max;
      return;
    }
    std::map<std::string, bool*> options = {{"pre_vote", &config_.has_pre_vote},
                                            {"check_quorum", &config_.has_check_quorum},
                                            {"stickiness", &config_.has_stickiness},
                                            {"leases", &config_.has_leases}};
    *options.at(words.at(1)) = is_on;
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
        disk.entries.push_back(Entry{.term = Term{number(words[i])},
                                     .index = Index{disk.entries.size() + 1},
                                     .time = {},
                                     .kind = EntryKind::command,
                                     .command = Blob::copy(words[i])});
      }
    }
    server.writes.clear();
    cluster_->crash(raw(server.id));
    cluster_->restart(raw(server.id));
  }

  void add(const Words& words) { cluster_->add_server(number(words.at(1))); }

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

  void write(const Words& words) {
    for (auto& [id, server] : cluster_->servers()) {
      const bool is_meant = words.size() == 1 || number(words[1]) == raw(id);
      for (std::size_t left = is_meant && server.is_up ? server.writes.size() : 0; left > 0; --left) {
        cluster_->finish_write(server);
      }
    }
  }

  // What is under way now and is meant; what the deliveries bring forth stays.
  std::vector<std::size_t> meant(const Words& words) {
    std::vector<std::size_t> packets;
    for (std::size_t i = 0; i < cluster_->network().size(); ++i) {
      const Packet& packet = cluster_->network()[i];
      if (words.size() == 1 || (raw(packet.from) == number(words.at(1)) && raw(packet.to) == number(words.at(2)))) {
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

  void settle(const Words& /*words*/) { cluster_->settle(); }
  void heal(const Words& /*words*/) { cluster_->heal(); }
  void run(const Words& words) { cluster_->run(std::int64_t{1000} * number(words.at(1))); }

  void cut(const Words& words) {
    const auto bar = std::ranges::find(words, "|");
    for (auto one = std::next(words.begin()); one != bar; ++one) {
      for (auto other = std::next(bar); other != words.end(); ++other) {
        cluster_->cut(number(*one), number(*other));
        cluster_->cut(number(*other), number(*one));
      }
    }
  }

  void crash(const Words& words) { cluster_->crash(number(words.at(1))); }
  void restart(const Words& words) { cluster_->restart(number(words.at(1)), words.size() > 2 ? number(words[2]) : 0); }

  void report(const std::string& what, const Result<void>& result) {
    if (!result) {
      trace_.push_back(what + " refused: " + result.error().message);
    }
  }

  void propose(const Words& words) {
    const Result<Index> index = cluster_->propose(number(words.at(1)), words.at(2));
    if (!index) {
      trace_.push_back("refused: " + index.error().message);
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
  void members(const Words& words) {
    const unsigned id = number(words.at(1));
    report("change", cluster_->core(id).change_members(members_of(words, 2)));
    cluster_->collect(cluster_->server(id));
  }

  void state(const Words& /*words*/) {
    for (const auto& [id, server] : cluster_->servers()) {
      trace_.push_back(server.is_up ? describe(*server.core) : "server " + std::to_string(raw(id)) + " is down");
    }
  }

  void logs(const Words& /*words*/) {
    for (const auto& [id, server] : cluster_->servers()) {
      const Log& log = server.core->log();
      std::string line = std::to_string(raw(id)) + ":";
      for (Index index = log.first(); index <= log.last().index; index = next(index)) {
        line += " " + std::to_string(raw(*log.term_at(index)));
        line += log.at(index).kind == EntryKind::configuration ? "c" : "";
      }
      trace_.push_back(line);
    }
  }

  void quiet(const Words& /*words*/) { cluster_->trace_to(nullptr); }
  void loud(const Words& /*words*/) { cluster_->trace_to(&trace_); }

  Config config_;
  std::unique_ptr<Cluster> cluster_;
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
