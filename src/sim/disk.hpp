#pragma once

// A disk that forgets what was not synced (F-3xx): a page cache over sectors, and names over directories, each of which
// survives a power loss on its own or not. Deterministic; a copy is an independent disk with the same contents.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/prng.hpp"
#include "base/result.hpp"
#include "sim/image.hpp"
#include "storage/disk.hpp"

namespace quorate::sim {

class Disk final : public storage::Disk {
 public:
  static constexpr std::size_t sector_bytes = Image::sector_bytes;

  // What a power loss does to one unsynced sector, name or size; `mangled` is for sectors, and `lost` for the others.
  enum class Fate : std::uint8_t { kept, lost, mangled };
  using Judge = std::function<Fate()>;

  // Loses power: what was synced stays, the rest is judged piece by piece. All open files are void.
  void lose_power(std::uint64_t seed);
  void lose_power(const Judge& judge);
  // The process ends, the machine goes on: the page cache stays. All open files are void, locks are free.
  void restart();

  // The n-th operation from now that changes something (1 is the next) is the last one of the process: it takes effect
  // in the page cache or not, and it and all later ones fail until the restart.
  void crash_at(std::uint64_t operation, bool takes_effect);
  // The n-th operation from now fails once. A failed sync leaves its pages clean but not on disk.
  void fail_at(std::uint64_t operation, ErrorCode code);
  void fail_no_more() { fail_at_ = 0; }
  // From now on reads of this file that reach `offset` fail: a bad sector (F-304). The file exists.
  void fail_reads(const std::string& path, std::uint64_t offset);
  // From now on this file cannot be opened, or not asked for its size: damage of the file system (F-304). It exists.
  enum class Access : std::uint8_t { open, size };
  void fail(const std::string& path, Access access);
  void set_capacity(std::uint64_t bytes) { capacity_ = bytes; }
  [[nodiscard]] std::uint64_t operations() const { return operations_; }
  [[nodiscard]] bool has_crashed() const { return crashed_; }

  // Changes bytes behind everyone's back, durably (F-304, F-305).
  void corrupt(const std::string& path, std::uint64_t offset, std::uint8_t mask);
  void overwrite(const std::string& path, std::uint64_t offset, ByteView bytes);
  // What a reader would see now. The file exists.
  [[nodiscard]] std::string contents(const std::string& path) const;
  [[nodiscard]] std::uint64_t used_bytes() const;

  Result<std::unique_ptr<storage::File>> open(const std::string& path, Open how) override;
  Result<void> make_directory(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Result<bool> exists(const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<void> sync_directory(const std::string& path) override;
  Result<std::uint64_t> free_bytes(const std::string& path) override;
  Result<std::unique_ptr<storage::File>> lock(const std::string& path) override;

 private:
  class OpenFile;
  enum class Content : std::uint64_t {};  // Names the bytes behind a name (an inode).
  // Sectors [first, end).
  struct Sectors {
    std::uint64_t first = 0;
    std::uint64_t end = 0;
  };
  struct Bytes {
    bool is_directory = false;
    Image cache;
    Image durable;
    std::vector<Sectors> dirty;  // As they came; they may overlap.
    std::uint64_t unreadable_from = UINT64_MAX;
    std::optional<Access> failing = std::nullopt;

    void soil(std::uint64_t from, std::uint64_t to);
    void merge();
  };
  // A change of names that is not durable yet. `to` appears with `content`, `from` goes; either may be empty.
  struct NameChange {
    std::string from;
    std::string to;
    Content content{};
  };
  using Names = std::map<std::string, Content>;
  enum class Turn : std::uint8_t { go, void_after, refuse };

  Turn begin_operation(Error& error);
  Result<void> end_operation(Turn turn);
  void change_names(NameChange change);
  static void apply(const NameChange& change, Names& names);
  static void lose_sector(Bytes& bytes, std::uint64_t sector, Fate fate);
  void lose_bytes(Bytes& bytes, const Judge& judge);
  void drop_unnamed();
  Bytes* find(std::uint64_t epoch, Content content);
  Result<void> write(Bytes& bytes, std::uint64_t offset, ByteView from);
  Result<void> sync(Bytes& bytes, bool with_size);
  Result<void> truncate(Bytes& bytes, std::uint64_t size);

  // The contents of a name.
  [[nodiscard]] Bytes& at(Content content) { return *contents_[std::to_underlying(content)]; }
  [[nodiscard]] const Bytes& at(Content content) const { return *contents_[std::to_underlying(content)]; }
  Content make(Bytes bytes);

  std::vector<std::optional<Bytes>> contents_;  // By content; what was dropped is none.
  Names names_;
  Names durable_names_;
  std::vector<NameChange> changes_;
  std::set<std::string> locks_;
  std::uint64_t epoch_ = 1;  // Files of an earlier one are void.
  std::uint64_t operations_ = 0;
  std::uint64_t capacity_ = UINT64_MAX;
  std::uint64_t crash_at_ = 0;
  bool crash_takes_effect_ = false;
  std::uint64_t fail_at_ = 0;
  ErrorCode fail_with_ = ErrorCode::io;
  bool crashed_ = false;
};

}  // namespace quorate::sim
