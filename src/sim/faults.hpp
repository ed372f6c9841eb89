#pragma once

// Faults as data (F-xxx): a run's plan is a list of them, drawn from its seed before it begins. So a failing run can be
// made smaller by leaving some out, and written down.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/prng.hpp"
#include "sim/knobs.hpp"

namespace quorate::sim {

struct Fault {
  enum class Kind : std::uint8_t {
    // The whole network, for a while.
    loss,     // F-101: `amount` of a thousand messages.
    delay,    // F-102: up to `amount` us for each.
    tail,     // F-102: one in twenty takes up to `amount` us.
    repeat,   // F-103: `amount` of a thousand, up to seconds later.
    reorder,  // F-104.
    // Links, for a while.
    isolate,  // F-105: one server.
    split,    // F-105: the servers whose bits are set in `amount`, against the others.
    bridge,   // F-105: two halves that only `server` sees both of.
    ring,     // F-105: everybody sees its neighbours only.
    deaf,     // F-106: it hears nothing.
    mute,     // F-106: nobody hears it.
    flap,     // F-107: cut off and back every `amount` us.
    lag,      // F-108: everything to and from it takes `amount` us longer.
    // Processes.
    kill,       // F-201: down for a while.
    power,      // F-202, F-302: the same, and what was not synced is lost, or not.
    power_all,  // F-203.
    pause,      // F-204.
    storm,      // F-206: it starts and dies again, every `amount` us.
    // Disks.
    slow_disk,  // F-308: `amount` us longer a flush.
    bad_disk,   // F-306: an operation fails once; the process stops.
    full_disk,  // F-307: for a while.
    rot,        // F-304: a byte of a stopped server's files.
    wipe,       // F-311: it comes back with an empty disk.
    // Clocks.
    wall_jump,  // F-401: by `amount` ms.
    drift,      // F-402: `amount` ppm, for a while.
    // Operators.
    members,   // F-501: a change, drawn with `amount`.
    transfer,  // to somebody.
    snapshot,  // F-503: now.
  };

  Kind kind{};
  std::int64_t at_us = 0;
  std::int64_t for_us = 0;
  NodeId server{};  // 0: whoever leads then.
  std::int64_t amount = 0;

  friend bool operator==(const Fault&, const Fault&) = default;
};

[[nodiscard]] std::string_view name_of(Fault::Kind kind);
[[nodiscard]] std::string describe(const Fault& fault);

// A run before it begins.
struct Plan {
  std::uint64_t seed = 0;
  std::string profile;
  Knobs knobs;
  std::int64_t safety_us = 60'000'000;  // The phase with faults; then all is healed and has to converge (F-003).
  std::uint64_t steps_max = 0;          // Of that phase; 0: no bound.
  std::vector<Fault> faults;            // By time.
};

// What the user fixed; the seed draws the rest. A seed and these are the whole plan, so they are what replays a run.
struct PlanOptions {
  std::string profile = "swarm";
  unsigned servers = 0;         // 0: as the profile draws.
  std::int64_t seconds = 60;    // The faults are drawn for so long: another number draws others.
  std::int64_t until_us = 0;    // The phase with faults ends before that; 0: it does not. Faults that were drawn stay.
  std::uint64_t steps_max = 0;  // Of that phase; 0: no bound.
  std::optional<std::vector<std::size_t>> only_faults =
      {};  // Positions among all that are drawn; those beyond are ignored.
};

// Names, and what each is about.
struct ProfileInfo {
  std::string_view name;
  std::string_view about;
};
[[nodiscard]] const std::vector<ProfileInfo>& profiles();
// The profile is one of profiles(), or "all": each seed takes the next one.
[[nodiscard]] Plan make_plan(std::uint64_t seed, const PlanOptions& options);

// The plan with only these of its faults.
[[nodiscard]] Plan with_faults(const Plan& plan, const std::vector<std::size_t>& kept);

}  // namespace quorate::sim
