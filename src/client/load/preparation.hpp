#pragma once

// Makes the znodes a load works on, and removes them: pipelined over the fleet's connections, in slices, so that the
// owner can show progress.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "client/connection.hpp"
#include "client/load/fleet.hpp"
#include "client/load/workload.hpp"

namespace quorate::client::load {

// Creates one znode after another on connection 0 and waits for the replies; those that exist are left as they are.
Result<void> create_paths(Fleet& fleet, const std::vector<std::string>& paths, MonoTime deadline);
// "/a/b" yields "/a", "/a/b".
[[nodiscard]] std::vector<std::string> with_ancestors(std::string_view path);

// Creates all keys of a workload. A key that exists is overwritten, so that its data is right.
class Preparation {
 public:
  Preparation(Fleet& fleet, Workload& workload, std::size_t depth);

  // Works until all is done or the time is over. An error says what the server answered, or that a connection was lost.
  Result<void> run_until(MonoTime deadline);
  [[nodiscard]] bool is_done() const { return keys_done_ == workload_.layout().keys; }
  [[nodiscard]] std::uint64_t keys_done() const { return keys_done_; }

 private:
  // Each connection makes whole directories, one after the other: so a parent always comes before its children.
  struct Cursor {
    std::uint64_t directory = 0;
    std::uint64_t key = 0;
    bool has_directory = false;
    std::size_t in_flight = 0;
  };

  void fill(std::size_t position);
  Result<void> take(std::size_t position);
  Result<void> take_reply(std::size_t position, const Reply& reply);

  Fleet& fleet_;
  Workload& workload_;
  std::size_t depth_;
  std::vector<Cursor> cursors_;
  std::uint64_t keys_done_ = 0;
  bool has_started_ = false;
};

// Removes a znode with everything below it, over connection 0.
class Removal {
 public:
  Removal(Fleet& fleet, std::string_view root);

  Result<void> run_until(MonoTime deadline);
  [[nodiscard]] bool is_done() const { return is_done_; }
  [[nodiscard]] std::uint64_t removed() const { return removed_; }

 private:
  // A znode that had children when its removal was tried: it is tried again when they are gone.
  struct Branch {
    std::string path;
    std::size_t parent = 0;
    std::size_t children_left = 0;
  };
  struct Step {
    bool is_listing = false;
    std::size_t parent = 0;  // The branch above; of a listing, the branch itself.
    std::string path;
  };

  void submit(Step step);
  Result<void> take_reply(const Reply& reply);
  void on_gone(std::size_t parent);
  void on_listed(std::size_t branch, ByteView body);

  Fleet& fleet_;
  std::vector<Branch> branches_;
  std::deque<Step> waiting_;
  std::deque<Step> in_flight_;
  std::uint64_t removed_ = 0;
  bool is_done_ = false;
};

}  // namespace quorate::client::load
