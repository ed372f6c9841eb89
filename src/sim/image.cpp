#include "sim/image.hpp"

#include <algorithm>
#include <cstring>

#include "base/ensure.hpp"

namespace quorate::sim {
namespace {

constexpr std::array<char, Image::sector_bytes> zeros{};

// The first byte is, and each is as the one before it.
bool is_zero(ByteView bytes) {
  return bytes.empty() || (bytes.front() == '\0' && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

// A half of the bytes at a time, as long as there are only zeros in it: what is left of them.
ByteView without_blank_end(ByteView bytes) {
  while (bytes.size() > 1 && is_zero(bytes.substr(bytes.size() / 2))) {
    bytes.remove_suffix(bytes.size() - bytes.size() / 2);
  }
  return bytes;
}

}  // namespace

std::string Image::bytes() const {
  std::string all(size_, '\0');
  (void)read(0, all);
  return all;
}

std::size_t Image::read(std::size_t offset, std::span<char> into) const {
  ensure(offset <= size_, "a read begins inside of the file");
  into = into.first(std::min(into.size(), size_ - offset));
  std::size_t done = 0;
  while (done < into.size()) {
    const std::size_t skipped = (offset + done) % sector_bytes;
    const std::size_t length = std::min(into.size() - done, sector_bytes - skipped);
    const std::shared_ptr<Sector>& sector = sectors_[(offset + done) / sector_bytes];
    std::memcpy(into.data() + done, (sector ? sector->data() : zeros.data()) + skipped, length);
    done += length;
  }
  return done;
}

void Image::resize(std::size_t size) {
  const std::size_t kept = size % sector_bytes;
  if (size < size_ && kept != 0 && sectors_[size / sector_bytes]) {
    put(size, ByteView(zeros.data(), sector_bytes - kept), true);
  }
  sectors_.resize((size + sector_bytes - 1) / sector_bytes);
  size_ = size;
}

// Within one sector.
void Image::put(std::size_t offset, ByteView from, bool is_blank) {
  std::shared_ptr<Sector>& sector = sectors_[offset / sector_bytes];
  if (is_blank && (!sector || from.size() == sector_bytes)) {
    sector.reset();
    return;
  }
  if (!sector) {
    sector = std::make_shared<Sector>();
  } else if (sector.use_count() > 1) {
    sector = std::make_shared<Sector>(*sector);
  }
  std::memcpy(sector->data() + offset % sector_bytes, from.data(), from.size());
}

void Image::write(std::size_t offset, ByteView from) {
  ensure(offset + from.size() <= size_, "what is written has its place");
  std::size_t filled = without_blank_end(from).size();
  while (!from.empty()) {
    const std::size_t length = std::min(from.size(), sector_bytes - offset % sector_bytes);
    put(offset, from.substr(0, length), filled == 0);
    from.remove_prefix(length);
    filled -= std::min(filled, length);
    offset += length;
  }
}

void Image::copy(const Image& from, std::size_t start, std::size_t end) {
  ensure(end <= size_ && end <= from.size_, "what is copied is there, and has its place");
  while (start < end) {
    const std::size_t place = start / sector_bytes;
    const std::size_t next = std::min(end, (place + 1) * sector_bytes);
    const std::shared_ptr<Sector>& sector = from.sectors_[place];
    if (next - start == sector_bytes) {
      sectors_[place] = sector;
    } else {
      put(start, ByteView((sector ? sector->data() : zeros.data()) + start % sector_bytes, next - start), !sector);
    }
    start = next;
  }
}

}  // namespace quorate::sim
