#include "client/load/preparation.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/ensure.hpp"
#include "client/errors.hpp"
#include "net/clock.hpp"
#include "wire/jute.hpp"

namespace quorate::client::load {

namespace {

constexpr std::int32_t no_node = -101;
constexpr std::int32_t node_exists = -110;
constexpr std::int32_t not_empty = -111;
constexpr std::size_t removals_in_flight = 1000;

// Takes out everything that connection `position` has; calls `on_reply` for each reply until one says that it failed.
template <class OnReply>
Result<void> take_replies(Fleet& fleet, std::size_t position, OnReply on_reply) {
  Incoming incoming;
  Result<void> outcome;
  bool has_more = true;
  while (has_more) {
    has_more = fleet.read(position);
    while (fleet.connection(position).next(incoming)) {
      if (const auto* reply = std::get_if<Reply>(&incoming); reply != nullptr && outcome) {
        outcome = on_reply(*reply);
      }
    }
  }
  if (outcome && !fleet.is_open(position)) {
    return failure(ErrorCode::io, "a connection was lost while znodes were made or removed");
  }
  return outcome;
}

}  // namespace

std::vector<std::string> with_ancestors(std::string_view path) {
  std::vector<std::string> paths;
  for (std::size_t slash = path.find('/', 1); slash != std::string_view::npos; slash = path.find('/', slash + 1)) {
    paths.emplace_back(path.substr(0, slash));
  }
  paths.emplace_back(path);
  return paths;
}

Result<void> create_paths(Fleet& fleet, const std::vector<std::string>& paths, MonoTime deadline) {
  for (std::size_t number = 0; number < paths.size(); ++number) {
    fleet.connection(0).submit(wire::Opcode::create, create_body(paths[number], empty_bytes, 0), number);
  }
  fleet.flush(0);
  std::vector<std::size_t> ready;
  std::size_t left = paths.size();
  const auto on_reply = [&](const Reply& reply) -> Result<void> {
    --left;
    if (reply.error != 0 && reply.error != node_exists) {
      return failure(ErrorCode::refused, "create " + paths[reply.tag] + ": " + describe_error(reply.error));
    }
    return {};
  };
  while (left > 0) {
    if (net::monotonic_now() >= deadline) {
      return failure(ErrorCode::io, "the server does not answer in time");
    }
    fleet.wait(deadline, ready);
    for (const std::size_t position : ready) {
      if (Result<void> taken = take_replies(fleet, position, on_reply); !taken) {
        return taken;
      }
    }
  }
  return {};
}

Preparation::Preparation(Fleet& fleet, Workload& workload, std::size_t depth)
    : fleet_(fleet), workload_(workload), depth_(depth), cursors_(fleet.size()) {
  ensure(depth > 0 && fleet.size() > 0, "there is a connection, and room for a request");
  for (std::size_t position = 0; position < cursors_.size(); ++position) {
    cursors_[position].directory = position;
  }
}

void Preparation::fill(std::size_t position) {
  Cursor& cursor = cursors_[position];
  Connection& connection = fleet_.connection(position);
  const std::uint64_t keys = workload_.layout().keys;
  while (cursor.in_flight < depth_ && cursor.directory < workload_.directories()) {
    if (!cursor.has_directory) {
      cursor.has_directory = true;
      cursor.key = cursor.directory * keys_a_directory;
      connection.submit_frame(workload_.create_directory_frame(cursor.directory), keys_max);
    } else {
      connection.submit_frame(workload_.create_key_frame(cursor.key), cursor.key);
      ++cursor.key;
      if (cursor.key == keys || cursor.key % keys_a_directory == 0) {
        cursor.directory += cursors_.size();
        cursor.has_directory = false;
      }
    }
    ++cursor.in_flight;
  }
  fleet_.flush(position);
}

Result<void> Preparation::take_reply(std::size_t position, const Reply& reply) {
  const bool is_directory = reply.tag == keys_max;
  --cursors_[position].in_flight;
  if (reply.error == node_exists && !is_directory) {
    ++cursors_[position].in_flight;
    fleet_.connection(position).submit_frame(workload_.set_frame(reply.tag), reply.tag);
    return {};
  }
  if (reply.error != 0 && reply.error != node_exists) {
    return failure(ErrorCode::refused, "the keys cannot be made: the server answers " + describe_error(reply.error));
  }
  keys_done_ += is_directory ? 0U : 1U;
  return {};
}

Result<void> Preparation::run_until(MonoTime deadline) {
  if (!std::exchange(has_started_, true)) {
    for (std::size_t position = 0; position < cursors_.size(); ++position) {
      fill(position);
    }
  }
  std::vector<std::size_t> ready;
  while (!is_done() && net::monotonic_now() < deadline) {
    fleet_.wait(deadline, ready);
    for (const std::size_t position : ready) {
      const auto on_reply = [&](const Reply& reply) { return take_reply(position, reply); };
      if (Result<void> taken = take_replies(fleet_, position, on_reply); !taken) {
        return taken;
      }
      fill(position);
    }
  }
  return {};
}

Removal::Removal(Fleet& fleet, std::string_view root) : fleet_(fleet) {
  // Branch 0 stands above everything: when its one child is gone, all is done.
  branches_.push_back(Branch{.path = {}, .parent = 0, .children_left = 1});
  waiting_.push_back(Step{.is_listing = false, .parent = 0, .path = std::string(root)});
}

void Removal::submit(Step step) {
  std::string body;
  wire::Writer writer(body);
  writer.write_string(step.path);
  if (step.is_listing) {
    writer.write_bool(false);
    fleet_.connection(0).submit(wire::Opcode::get_children, body, 0);
  } else {
    writer.write_int(-1);
    fleet_.connection(0).submit(wire::Opcode::remove, body, 0);
  }
  in_flight_.push_back(std::move(step));
}

void Removal::on_gone(std::size_t parent) {
  Branch& branch = branches_[parent];
  ensure(branch.children_left > 0, "no more children go than there were");
  if (--branch.children_left > 0) {
    return;
  }
  if (parent == 0) {
    is_done_ = true;
    return;
  }
  waiting_.push_front(Step{.is_listing = false, .parent = branch.parent, .path = std::exchange(branch.path, {})});
}

void Removal::on_listed(std::size_t branch, ByteView body) {
  wire::Reader reader(body);
  const std::int32_t count = std::max(reader.read_count(4), 0);
  branches_[branch].children_left = static_cast<std::size_t>(count) + 1;
  for (std::int32_t child = 0; child < count; ++child) {
    const std::string path = branches_[branch].path + "/" + std::string(reader.read_string());
    // Depth first: what waits stays few.
    waiting_.push_front(Step{.is_listing = false, .parent = branch, .path = path});
  }
  on_gone(branch);
}

Result<void> Removal::take_reply(const Reply& reply) {
  const Step step = std::move(in_flight_.front());
  in_flight_.pop_front();
  if (step.is_listing) {
    on_listed(step.parent, reply.error == 0 ? reply.body : ByteView{});
  } else if (reply.error == 0 || reply.error == no_node) {
    removed_ += reply.error == 0 ? 1U : 0U;
    on_gone(step.parent);
  } else if (reply.error == not_empty) {
    branches_.push_back(Branch{.path = step.path, .parent = step.parent, .children_left = 1});
    waiting_.push_front(Step{.is_listing = true, .parent = branches_.size() - 1, .path = step.path});
  } else {
    return failure(ErrorCode::refused, step.path + " cannot be removed: " + describe_error(reply.error));
  }
  return {};
}

Result<void> Removal::run_until(MonoTime deadline) {
  std::vector<std::size_t> ready;
  while (!is_done_ && net::monotonic_now() < deadline) {
    while (!waiting_.empty() && in_flight_.size() < removals_in_flight) {
      Step step = std::move(waiting_.front());
      waiting_.pop_front();
      submit(std::move(step));
    }
    fleet_.flush(0);
    fleet_.wait(deadline, ready);
    for (const std::size_t position : ready) {
      const auto on_reply = [&](const Reply& reply) { return take_reply(reply); };
      if (Result<void> taken = take_replies(fleet_, position, on_reply); !taken) {
        return taken;
      }
    }
  }
  return {};
}

}  // namespace quorate::client::load
