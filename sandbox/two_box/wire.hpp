// What both boxes of a C++ task share: frames on the channel, and values as plain bytes.
//
// Both ends know a value's type, so the bytes hold no types; a reader takes nothing beyond the end
// of its frame. It stands behind the submission's text, so it includes little.

#include <array>
#include <cstdint>
#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>
#include <unistd.h>

namespace rulegrade {

const int CHANNEL = 4;
const std::uint32_t MAX_FRAME = 16u << 20;

struct Broken : std::exception {
  const char* what() const noexcept override { return "a message that cannot be read"; }
};

struct Writer {
  std::string bytes;
  void raw(const void* from, std::size_t size) {
    bytes.append(static_cast<const char*>(from), size);
    if (bytes.size() > MAX_FRAME) throw std::length_error("more data than a call may carry");
  }
  template <class T> void number(T value) { raw(&value, sizeof value); }
};

struct Reader {
  std::string bytes;
  std::size_t at = 0;
  void raw(void* to, std::size_t size) {
    if (size > bytes.size() - at) throw Broken();
    std::memcpy(to, bytes.data() + at, size);
    at += size;
  }
  template <class T> T number() {
    T value;
    raw(&value, sizeof value);
    return value;
  }
  // Every element takes a byte at least, so no count can ask for more memory than the frame did.
  std::uint32_t count() {
    auto count = number<std::uint32_t>();
    if (count > bytes.size() - at) throw Broken();
    return count;
  }
};

template <class T> void put(Writer& out, const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    out.number<std::uint8_t>(value);
  } else if constexpr (std::is_floating_point_v<T>) {
    // A long double as the sum of two doubles.
    double head = static_cast<double>(value);
    out.number(head);
    if constexpr (sizeof(T) > sizeof(double)) out.number(static_cast<double>(value - head));
  } else if constexpr (std::is_integral_v<T>) {
    out.number(value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    out.number(static_cast<std::uint32_t>(value.size()));
    out.raw(value.data(), value.size());
  } else if constexpr (is_optional<T>::value) {
    out.number<std::uint8_t>(value.has_value());
    if (value.has_value()) put(out, *value);
  } else if constexpr (is_parts<T>::value) {
    std::apply([&](const auto&... part) { (put(out, part), ...); }, value);
  } else {
    std::uint32_t count = 0;
    for (auto at = value.begin(); at != value.end(); ++at) ++count;
    out.number(count);
    for (const typename T::value_type& item : value) put<typename element<typename T::value_type>::type>(out, item);
  }
}

template <class T> T get(Reader& in) {
  if constexpr (std::is_same_v<T, bool>) {
    return in.number<std::uint8_t>() != 0;
  } else if constexpr (std::is_floating_point_v<T>) {
    T value = static_cast<T>(in.number<double>());
    if constexpr (sizeof(T) > sizeof(double)) {
      T rest = in.number<double>();
      if (value + rest == value + rest && rest != 0) value += rest;
    }
    return value;
  } else if constexpr (std::is_integral_v<T>) {
    return in.number<T>();
  } else if constexpr (std::is_same_v<T, std::string>) {
    std::string text(in.count(), '\0');
    in.raw(&text[0], text.size());
    return text;
  } else if constexpr (is_optional<T>::value) {
    if (!in.number<std::uint8_t>()) return T();
    return T(get<typename T::value_type>(in));
  } else if constexpr (is_parts<T>::value) {
    T value{};
    std::apply([&](auto&... part) { ((part = get<std::decay_t<decltype(part)>>(in)), ...); }, value);
    return value;
  } else {
    T value;
    for (auto left = in.count(); left; --left) {
      auto item = get<typename element<typename T::value_type>::type>(in);
      if constexpr (grows_at_end<T>::value) value.push_back(std::move(item));
      else value.insert(std::move(item));
    }
    return value;
  }
}

inline bool write_all(int fd, const char* from, std::size_t size) {
  while (size) {
    ssize_t written = ::write(fd, from, size);
    if (written <= 0) return false;
    from += written;
    size -= written;
  }
  return true;
}

inline bool read_all(char* to, std::size_t size) {
  while (size) {
    ssize_t got = ::read(CHANNEL, to, size);
    if (got <= 0) return false;
    to += got;
    size -= got;
  }
  return true;
}

// 4 bytes: length | that many bytes
inline bool send_frame(const Writer& frame) {
  auto size = static_cast<std::uint32_t>(frame.bytes.size());
  std::string whole(reinterpret_cast<const char*>(&size), sizeof size);
  whole += frame.bytes;
  return write_all(CHANNEL, whole.data(), whole.size());
}

inline bool receive_frame(Reader& frame) {
  std::uint32_t size;
  if (!read_all(reinterpret_cast<char*>(&size), sizeof size)) return false;
  if (size > MAX_FRAME) return false;
  frame.bytes.resize(size);
  frame.at = 0;
  return read_all(&frame.bytes[0], size);
}

enum Kind : std::uint8_t {
  RETURNED, UNKNOWN, EXCEPTION, LOGIC_ERROR, DOMAIN_ERROR, INVALID_ARGUMENT, LENGTH_ERROR,
  OUT_OF_RANGE, RUNTIME_ERROR, RANGE_ERROR, OVERFLOW_ERROR, UNDERFLOW_ERROR, BAD_ALLOC,
};

}  // namespace rulegrade
