// Reads the arguments of a call, each as its parameter's type.

#include <charconv>
#include <limits>
#include <string>
#include <string_view>

namespace rulegrade {

// An argument is not of the parameter's type.
struct NoFit {};

// Reads one line of JSON, which the service wrote.
struct Reader {
  std::string_view text;
  bool is_exact;  // an integer is no double
  std::size_t at = 0;

  char next() {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\n')) ++at;
    return at < text.size() ? text[at] : '\0';
  }
  bool accept(std::string_view word) {
    next();
    if (text.substr(at, word.size()) != word) return false;
    at += word.size();
    return true;
  }
  void expect(std::string_view word) {
    if (!accept(word)) throw NoFit();
  }
  // Whether another element follows in brackets whose opening one was read.
  bool goes_on(std::string_view close, bool is_first) {
    if (accept(close)) return false;
    if (!is_first) expect(",");
    return true;
  }
  std::string_view number() {
    next();
    std::size_t from = at;
    while (at < text.size() && std::string_view("+-.0123456789eE").find(text[at]) != std::string_view::npos) ++at;
    return text.substr(from, at - from);
  }
  unsigned unit() {
    unsigned value = 0;
    if (at + 4 > text.size()) throw NoFit();
    std::from_chars(text.data() + at, text.data() + at + 4, value, 16);
    at += 4;
    return value;
  }
  std::string string() {
    expect("\"");
    std::string found;
    while (at < text.size() && text[at] != '"') {
      char c = text[at++];
      if (c == '\\' && at < text.size()) escaped(text[at++], found);
      else found += c;
    }
    expect("\"");
    return found;
  }
  void escaped(char c, std::string& found) {
    static const std::string_view FROM = "bfnrt", TO = "\b\f\n\r\t";
    if (c != 'u') {
      auto known = FROM.find(c);
      found += known == std::string_view::npos ? c : TO[known];
      return;
    }
    unsigned point = unit();
    if (point >= 0xD800 && point < 0xDC00 && text.substr(at, 2) == "\\u") {
      at += 2;
      point = 0x10000 + ((point - 0xD800) << 10) + (unit() - 0xDC00);
    }
    if (point < 0x80) {
      found += static_cast<char>(point);
      return;
    }
    int more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    found += static_cast<char>((0xF0 << (3 - more) & 0xFF) | point >> 6 * more);
    while (more--) found += static_cast<char>(0x80 | (point >> 6 * more & 0x3F));
  }

  template <class T> T get();
  template <class T> T argument() {
    if (!goes_on("]", is_first)) throw NoFit();
    is_first = false;
    return get<T>();
  }
  void done() { expect("]"); }
  bool is_first = true;
};

template <class T> T character(const std::string& text) {
  if (text.size() != 1) throw NoFit();
  return text[0];
}

template <class T> T float_from(Reader& in) {
  if (in.accept("NaN")) return std::numeric_limits<T>::quiet_NaN();
  if (in.accept("Infinity")) return std::numeric_limits<T>::infinity();
  if (in.accept("-Infinity")) return -std::numeric_limits<T>::infinity();
  std::string digits(in.number());
  bool is_integer = digits.find_first_of(".eE") == std::string::npos;
  if (digits.empty() || (is_integer && in.is_exact)) throw NoFit();
  return static_cast<T>(std::strtold(digits.c_str(), nullptr));
}

template <class T> T integer_from(Reader& in) {
  auto digits = in.number();
  T value{};
  auto end = digits.data() + digits.size();
  auto read = std::from_chars(digits.data(), end, value);
  if (digits.empty() || read.ec != std::errc() || read.ptr != end) throw NoFit();
  return value;
}

// A key stands in quotes, whatever its type.
template <class K> K key_from(Reader& in) {
  std::string text = in.string();
  if constexpr (std::is_same_v<K, std::string>) {
    return text;
  } else if constexpr (std::is_same_v<K, char>) {
    return character<K>(text);
  } else {
    Reader inner{text, in.is_exact};
    return inner.get<K>();
  }
}

template <class T> T Reader::get() {
  if constexpr (std::is_same_v<T, bool>) {
    if (accept("true")) return true;
    expect("false");
    return false;
  } else if constexpr (std::is_same_v<T, char>) {
    return character<T>(string());
  } else if constexpr (std::is_floating_point_v<T>) {
    return float_from<T>(*this);
  } else if constexpr (std::is_integral_v<T>) {
    return integer_from<T>(*this);
  } else if constexpr (std::is_same_v<T, std::string>) {
    return string();
  } else if constexpr (is_optional<T>::value) {
    if (accept("null")) return T();
    return T(get<typename T::value_type>());
  } else if constexpr (is_parts<T>::value) {
    T value{};
    bool first = true;
    expect("[");
    auto part_from = [&](auto& part) {
      if (!first) expect(",");
      first = false;
      part = get<std::decay_t<decltype(part)>>();
    };
    std::apply([&](auto&... part) { (part_from(part), ...); }, value);
    expect("]");
    return value;
  } else if constexpr (is_map<T>::value) {
    T value;
    expect("{");
    for (bool first = true; goes_on("}", first); first = false) {
      auto key = key_from<typename T::key_type>(*this);
      expect(":");
      value.insert({std::move(key), get<typename T::mapped_type>()});
    }
    return value;
  } else {
    static_assert(is_container<T>::value, "a parameter of this type cannot be handed over");
    T value;
    expect("[");
    for (bool first = true; goes_on("]", first); first = false) {
      auto item = get<typename element<typename T::value_type>::type>();
      if constexpr (grows_at_end<T>::value) value.push_back(std::move(item));
      else value.insert(std::move(item));
    }
    return value;
  }
}

}  // namespace rulegrade
