#include "base/bytes.hpp"

#include "base/ensure.hpp"

namespace quorate {

Blob Blob::adopt(std::string&& bytes) {
  Blob blob;
  blob.holder_ = new Holder{.owners = 1, .bytes = std::move(bytes)};
  blob.view_ = blob.holder_->bytes;
  return blob;
}

Blob Blob::copy(ByteView bytes) {
  return adopt(std::string(bytes));
}

Blob Blob::slice(std::size_t offset, std::size_t length) const {
  ensure(offset <= view_.size(), "a slice starts inside its blob");
  ensure(length <= view_.size() - offset, "a slice ends inside its blob");
  Blob part = *this;
  part.view_ = view_.substr(offset, length);
  return part;
}

}  // namespace quorate
