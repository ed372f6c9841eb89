#pragma once

// What a front knows of one connection. Private to this room.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "replica/close_reason.hpp"
#include "replica/front_stats.hpp"
#include "replica/mailbox.hpp"
#include "replica/ring.hpp"
#include "tree/types.hpp"
#include "wire/requests.hpp"

namespace quorate::replica {

// A connection's (scheme, id) pairs: they grow and never shrink; duplicates collapse (protocol 6.5).
class Credentials {
 public:
  Credentials() = default;
  // The views are into the own strings, so a copy makes its own.
  Credentials(const Credentials& other) : owned_(other.owned_) { view_again(); }
  Credentials& operator=(Credentials other) noexcept {
    owned_.swap(other.owned_);
    views_.swap(other.views_);
    return *this;
  }

  // False if it was there already.
  bool add(std::string_view scheme, std::string_view id);
  [[nodiscard]] tree::CredentialsView view() const { return views_; }
  [[nodiscard]] bool has_scheme(std::string_view scheme) const;

 private:
  struct Owned {
    std::string scheme;
    std::string id;
  };
  void view_again();

  std::vector<Owned> owned_;
  std::vector<tree::Identity> views_;
};

// A queue of bytes in one string: appended at the end, taken from the front.
class ByteQueue {
 public:
  [[nodiscard]] ByteView view() const { return ByteView(bytes_).substr(begin_); }
  [[nodiscard]] std::size_t size() const { return bytes_.size() - begin_; }
  [[nodiscard]] bool empty() const { return begin_ == bytes_.size(); }
  // Removes from the front. What is left stays where it is until tidy().
  void consume(std::size_t count) { begin_ += count; }
  // Takes back the space in front; views become invalid. Large buffers of quiet connections are given up.
  void tidy();
  void clear();
  // Empties it and gives the memory back. Assigning an empty string would not: it may keep what it had.
  void release();
  // For encoders, which append.
  std::string& bytes() { return bytes_; }

 private:
  static constexpr std::size_t kept_bytes_max = 64U << 10;
  static constexpr std::size_t moved_from_bytes = 4096;

  std::string bytes_;
  std::size_t begin_ = 0;
};

// A write under way, or one that was refused and waits for its turn to be answered.
struct Unanswered {
  MonoTime received{};
  std::int32_t xid = 0;
  std::uint32_t bytes = 0;        // Of its body and its credentials.
  std::uint32_t large_bytes = 0;  // Counted against the limit of protocol 14.4; 0: not large.
  bool is_refused = false;
};

enum class Phase : std::uint8_t {
  free,        // The slot is nobody's.
  handshake,   // Nothing but ConnectRequest or a four-letter word is understood.
  connecting,  // A session is being created or resumed; frames wait (protocol 1.5 step 7).
  serving,
  admin,    // A four-letter word waits for its answer.
  closing,  // What is queued is sent, then the connection closes.
  dead,     // The socket is gone; the slot becomes free when no event for it can be on its way.
};

// A setWatches that is answered in slices. With a copy of its bytes: the connection's input moves.
struct WatchesBeingSet {
  std::string body;
  wire::DecodeScratch scratch;
  wire::Request request;
  std::size_t done = 0;  // Paths, in the order of the lists.
  bool does_not_fit = false;
};

struct Connection {
  // Where a receive ended, and when it was: only kept while waits are limited (protocol 14.3).
  struct Arrival {
    std::uint64_t end = 0;
    MonoTime at{};
  };

  ConnectionRef self;
  Phase phase = Phase::free;
  bool abort = false;
  CloseReason close_reason = CloseReason::none;
  bool input_closed = false;  // After closeSession: what follows is dropped.
  bool is_ready = false;      // Stands in the front's queue of connections with something to do.
  bool is_paused = false;     // Stands in the front's list of those held back by outstanding_max.
  bool has_action = false;
  bool is_touched = false;
  bool reported_wants_input = true;
  bool is_authenticated = true;  // False while enforced schemes are missing (2.5 step 4).
  bool with_read_only_flag = true;

  ByteQueue input;
  ByteQueue output;
  std::size_t counted_output = 0;  // As the front's sum has it.
  Ring<Unanswered> unanswered;
  std::uint64_t first_ordinal = 0;  // Of unanswered[0].

  SessionId session{};
  std::uint32_t generation = 0;
  std::int32_t timeout_ms = 0;
  std::string session_request;  // Of the create or resume under way.
  Credentials credentials;
  std::size_t credentials_bytes = 0;  // In each entry (wire::credentials_bytes).
  std::uint32_t sasl_requests = 0;
  std::unique_ptr<WatchesBeingSet> watches_being_set;

  std::int32_t refused_length = 0;  // Of the frame that was too large.

  MonoTime opened{};
  MonoTime received{};  // The newest bytes.
  MonoTime touched{};
  Ring<Arrival> arrivals;
  std::uint64_t input_end = 0;       // Bytes ever received ...
  std::uint64_t input_consumed = 0;  // ... and executed.

  std::string ip;
  std::uint16_t port = 0;
  Traffic traffic;
  std::string_view last_operation = "NA";
  std::int32_t last_xid = 0;
  Zxid last_zxid{};
  MonoTime last_reply{};
  std::int64_t last_latency_us = 0;
  std::int64_t latency_min_us = 0;
  std::int64_t latency_max_us = 0;
  std::int64_t latency_sum_us = 0;
  std::uint64_t latency_count = 0;
};

}  // namespace quorate::replica
