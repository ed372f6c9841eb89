#include "paxos/cluster.hpp"

#include <algorithm>

#include "base/ensure.hpp"

namespace quorate::paxos {
namespace {

constexpr std::uint64_t version = 1;

void write(std::string& out, std::uint64_t number, std::size_t bytes) {
  for (std::size_t i = bytes; i > 0; --i) {
    out.push_back(static_cast<char>(number >> (8 * (i - 1)) & 0xFFU));
  }
}

// Sticky: after the first read beyond the end it yields zeros, and `is_good` stays false.
class Reader {
 public:
  explicit Reader(ByteView bytes) : rest_(bytes) {}

  std::uint64_t number(std::size_t bytes) {
    std::uint64_t value = 0;
    for (const char byte : take(bytes)) {
      value = value << 8U | static_cast<unsigned char>(byte);
    }
    return value;
  }
  std::string text(std::size_t bytes) { return std::string(take(bytes)); }
  [[nodiscard]] bool is_good() const { return is_good_; }
  [[nodiscard]] bool is_at_end() const { return rest_.empty(); }

 private:
  ByteView take(std::size_t bytes) {
    is_good_ = is_good_ && bytes <= rest_.size();
    if (!is_good_) {
      return {};
    }
    const ByteView taken = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return taken;
  }

  ByteView rest_;
  bool is_good_ = true;
};

std::string hexadecimal(std::uint64_t number) {
  std::string text(16, '0');
  for (std::size_t i = 0; i < 16; ++i) {
    text[15 - i] = "0123456789abcdef"[number >> (4 * i) & 0xFU];
  }
  return text;
}

bool is_ascending(const std::vector<Founder>& founders) {
  return std::ranges::adjacent_find(
             founders, [](const Founder& a, const Founder& b) { return a.seat.id >= b.seat.id; }) == founders.end();
}

}  // namespace

Seats seats_of(const Cluster& cluster) {
  Seats seats;
  seats.reserve(cluster.founders.size());
  for (const Founder& founder : cluster.founders) {
    seats.push_back(founder.seat);
  }
  return seats;
}

bool holds(const Seats& seats, const Seat& seat) {
  return std::ranges::find(seats, seat) != seats.end();
}

const Seat* find_seat(const Seats& seats, NodeId id) {
  const auto found = std::ranges::find(seats, id, &Seat::id);
  return found == seats.end() ? nullptr : &*found;
}

Blob encode_cluster(const Cluster& cluster) {
  ensure(!cluster.founders.empty() && cluster.founders.size() <= founders_max, "somebody founds a cluster");
  ensure(is_ascending(cluster.founders), "founders stand in the order of their ids");
  std::string out;
  write(out, version, 1);
  write(out, cluster.id.high, 8);
  write(out, cluster.id.low, 8);
  write(out, cluster.founders.size(), 1);
  for (const Founder& founder : cluster.founders) {
    ensure(founder.address.size() <= founder_address_bytes_max, "an address fits its length");
    write(out, raw(founder.seat.id), 4);
    write(out, founder.seat.incarnation.high, 8);
    write(out, founder.seat.incarnation.low, 8);
    write(out, founder.address.size(), 2);
    out += founder.address;
  }
  return Blob::adopt(std::move(out));
}

Result<Cluster> decode_cluster(ByteView bytes) {
  Reader reader(bytes);
  if (reader.number(1) != version) {
    return failure(ErrorCode::unsupported, "the founders' value has a version that this binary does not know");
  }
  Cluster cluster;
  cluster.id.high = reader.number(8);
  cluster.id.low = reader.number(8);
  const std::uint64_t count = reader.number(1);
  for (std::uint64_t i = 0; i < count && reader.is_good(); ++i) {
    Founder& founder = cluster.founders.emplace_back();
    founder.seat.id = NodeId{static_cast<std::uint32_t>(reader.number(4))};
    founder.seat.incarnation.high = reader.number(8);
    founder.seat.incarnation.low = reader.number(8);
    const std::size_t length = reader.number(2);
    if (length > founder_address_bytes_max) {
      return failure(ErrorCode::corrupt, "a founder's address is longer than an address can be");
    }
    founder.address = reader.text(length);
  }
  if (!reader.is_good() || !reader.is_at_end() || cluster.founders.empty() || cluster.founders.size() > founders_max ||
      !is_ascending(cluster.founders)) {
    return failure(ErrorCode::corrupt, "the founders' value does not decode");
  }
  return cluster;
}

std::string describe(Incarnation incarnation) {
  return hexadecimal(incarnation.high) + hexadecimal(incarnation.low);
}

std::string describe(ClusterId id) {
  return hexadecimal(id.high) + hexadecimal(id.low);
}

std::string describe(const Seats& seats) {
  std::string line;
  for (const Seat& seat : seats) {
    line += (line.empty() ? "" : " ") + std::to_string(raw(seat.id)) + "/" +
            hexadecimal(seat.incarnation.high).substr(0, 4);
  }
  return line;
}

}  // namespace quorate::paxos
