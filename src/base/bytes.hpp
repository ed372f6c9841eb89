#pragma once

// Bytes: borrowed (ByteView) and shared immutable (Blob).

#include <atomic>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace quorate {

// Borrowed bytes. The protocol tells null from empty: a view without a pointer is null, an empty one has a pointer.
using ByteView = std::string_view;

constexpr bool is_null(ByteView view) {
  return view.data() == nullptr;
}
inline constexpr ByteView null_bytes{};
inline constexpr ByteView empty_bytes{""};

// A slice of shared, immutable bytes; copying shares them. It is the one type that is shared,
// so the count is atomic: a slice may be handed to another thread.
class Blob {
 public:
  Blob() = default;
  static Blob adopt(std::string&& bytes);
  static Blob copy(ByteView bytes);

  Blob(const Blob& other) noexcept : holder_(other.holder_), view_(other.view_) { retain(); }
  Blob(Blob&& other) noexcept : holder_(std::exchange(other.holder_, nullptr)), view_(std::exchange(other.view_, {})) {}
  Blob& operator=(Blob other) noexcept {
    std::swap(holder_, other.holder_);
    std::swap(view_, other.view_);
    return *this;
  }
  ~Blob() { release(); }

  [[nodiscard]] ByteView view() const { return view_; }
  [[nodiscard]] std::size_t size() const { return view_.size(); }
  // A part of the same bytes. offset + length must lie inside.
  [[nodiscard]] Blob slice(std::size_t offset, std::size_t length) const;

  friend bool operator==(const Blob& a, const Blob& b) { return a.view_ == b.view_; }

 private:
  struct Holder {
    std::atomic<std::size_t> owners{1};
    std::string bytes;
  };

  void retain() const noexcept {
    if (holder_ != nullptr) {
      holder_->owners.fetch_add(1, std::memory_order_relaxed);
    }
  }
  void release() const noexcept {
    if (holder_ != nullptr && holder_->owners.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      delete holder_;
    }
  }

  Holder* holder_ = nullptr;
  ByteView view_;
};

}  // namespace quorate
