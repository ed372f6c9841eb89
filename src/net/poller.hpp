#pragma once

// What a loop waits for: epoll behind a door that only reports. The owner of the loop reads the report and acts at its
// own pace; there are no callbacks, so nothing can re-enter.
//
// Streams are registered edge-triggered for input alone: a connection costs no epoll_ctl after its first one, however
// often reading is paused. Room for output is asked for only after a send fell short.

#include <cstdint>
#include <optional>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "net/descriptor.hpp"

namespace quorate::net {

// Names a registration to its owner; the poller gives it back as it is.
enum class Tag : std::uint64_t {};

struct Ready {
  Tag tag{};
  bool input = false;   // Something to read, or the end of the stream.
  bool output = false;  // Room to write again.
  bool hangup = false;  // The other side has finished or the connection broke: read on until the end is seen, even
                        // after a read that came up short, because this is not reported twice.
};

enum class Interest : std::uint8_t {
  input_level,      // Reported again and again while there is input: wakers, listeners, signals.
  input_edge,       // Reported when input arrives; the owner remembers that it has not read everything.
  input_or_output,  // Both, edge-triggered.
};

class Poller {
 public:
  Poller();

  // The descriptor stays its owner's; closing it ends the registration.
  Result<void> add(int descriptor, Interest interest, Tag tag);
  void change(int descriptor, Interest interest, Tag tag);
  void remove(int descriptor);

  // Waits for reports until `deadline` (in the past: does not wait; nullopt: for ever). `into` is replaced. Interrupted
  // waits come back empty.
  void wait(MonoTime now, std::optional<MonoTime> deadline, std::vector<Ready>& into);

 private:
  Descriptor epoll_;
};

}  // namespace quorate::net
