#include "sim/image.hpp"

#include <algorithm>
#include <cstring>

#include "base/ensure.hpp"

namespace quorate::sim {
namespace {

constexpr std::array<char, Image::sector_bytes> zeros{};

bool is_zero(ByteView bytes) {
  return std::memcmp(bytes.data(), zeros.data(), bytes.size()) == 0;
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
    put(size, ByteView(zeros.data(), sector_bytes - kept));
  }
  sectors_.resize((size + sector_bytes - 1) / sector_bytes);
  size_ = size;
}

// Within one sector.
void Image::put(std::size_t offset, ByteView from) {
  std::shared_ptr<Sector>& sector = sectors_[offset / sector_bytes];
  const bool is_blank = is_zero(from);
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
  while (!from.empty()) {
    const std::size_t length = std::min(from.size(), sector_bytes - offset % sector_bytes);
    put(offset, from.substr(0, length));
    from.remove_prefix(length);
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
      put(start, ByteView((sector ? sector->data() : zeros.data()) + start % sector_bytes, next - start));
    }
    start = next;
  }
}

}  // namespace quorate::sim
