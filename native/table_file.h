// Buffered, checksummed reading and writing of a snapshot through a file descriptor.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <vector>

namespace feedmill::table {

static_assert(std::endian::native == std::endian::little, "snapshots are little-endian");

using CrcTables = std::array<std::array<std::uint64_t, 256>, 8>;

constexpr CrcTables make_crc_tables() noexcept {
  CrcTables tables{};
  for (std::uint64_t byte = 0; byte < 256; ++byte) {
    std::uint64_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? 0xC96C5795D7870F42u : 0);
    tables[0][byte] = crc;
  }
  for (std::size_t t = 1; t < 8; ++t)
    for (std::size_t byte = 0; byte < 256; ++byte)
      tables[t][byte] = tables[0][tables[t - 1][byte] & 0xFF] ^ (tables[t - 1][byte] >> 8);
  return tables;
}

inline constexpr CrcTables kCrcTables = make_crc_tables();

// CRC-64/XZ (the polynomial of ECMA-182, reflected), eight bytes a step.
class Crc64 {
 public:
  void add(const std::byte* data, std::size_t size) noexcept {
    for (; size >= 8; data += 8, size -= 8) {
      std::uint64_t word;
      std::memcpy(&word, data, 8);
      word ^= state_;
      state_ = 0;
      for (int byte = 0; byte < 8; ++byte) state_ ^= kCrcTables[7 - byte][(word >> (8 * byte)) & 0xFF];
    }
    for (; size > 0; ++data, --size)
      state_ = kCrcTables[0][(state_ ^ static_cast<std::uint64_t>(*data)) & 0xFF] ^ (state_ >> 8);
  }
  std::uint64_t value() const noexcept { return ~state_; }

 private:
  std::uint64_t state_ = ~std::uint64_t{0};
};

inline constexpr std::size_t kFileBuffer = std::size_t{1} << 18;

// Everything written, then its checksum. Throws system_error with the errno of a write that fails.
class FileWriter {
 public:
  explicit FileWriter(int file) : file_(file) { buffer_.reserve(kFileBuffer); }

  void write(const void* data, std::size_t size) {
    const auto* bytes = static_cast<const std::byte*>(data);
    buffer_.insert(buffer_.end(), bytes, bytes + size);
    if (buffer_.size() >= kFileBuffer) flush();
  }
  template <class Number>
  void write(Number number) {
    write(&number, sizeof number);
  }

  void finish() {
    flush();
    write(checksum_.value());
    flush();
  }

 private:
  void flush() {
    checksum_.add(buffer_.data(), buffer_.size());
    for (std::size_t done = 0; done < buffer_.size();) {
      const ssize_t n = ::write(file_, buffer_.data() + done, buffer_.size() - done);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) throw std::system_error(errno, std::generic_category());
      done += static_cast<std::size_t>(n);
    }
    buffer_.clear();
  }

  int file_;
  std::vector<std::byte> buffer_;
  Crc64 checksum_;
};

// Throws invalid_argument where the file is not what a FileWriter wrote, and system_error where reading fails.
class FileReader {
 public:
  explicit FileReader(int file) : file_(file), buffer_(kFileBuffer) {}

  // Of the whole file; 0 where it cannot be known.
  std::size_t file_bytes() const noexcept {
    struct stat status;
    return ::fstat(file_, &status) == 0 && status.st_size > 0 ? static_cast<std::size_t>(status.st_size) : 0;
  }

  void read(void* target, std::size_t size) {
    auto* bytes = static_cast<std::byte*>(target);
    take(bytes, size);
    checksum_.add(bytes, size);
  }
  template <class Number>
  Number read() {
    Number number;
    read(&number, sizeof number);
    return number;
  }

  void finish() {
    const std::uint64_t expected = checksum_.value();
    std::uint64_t stored;
    take(reinterpret_cast<std::byte*>(&stored), sizeof stored);
    if (stored != expected) throw std::invalid_argument("its checksum is wrong: the file has been altered");
    if (begin_ != end_ || fill()) throw std::invalid_argument("there is something after its end");
  }

 private:
  void take(std::byte* target, std::size_t size) {
    while (size > 0) {
      if (begin_ == end_ && !fill()) throw std::invalid_argument("it ends too early");
      const std::size_t n = std::min(size, end_ - begin_);
      std::memcpy(target, buffer_.data() + begin_, n);
      begin_ += n;
      target += n;
      size -= n;
    }
  }

  bool fill() {
    ssize_t n;
    do n = ::read(file_, buffer_.data(), buffer_.size());
    while (n < 0 && errno == EINTR);
    if (n < 0) throw std::system_error(errno, std::generic_category());
    begin_ = 0;
    end_ = static_cast<std::size_t>(n);
    return n > 0;
  }

  int file_;
  std::vector<std::byte> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  Crc64 checksum_;
};

}  // namespace feedmill::table
