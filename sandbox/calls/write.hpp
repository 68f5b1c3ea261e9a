// Writes a result as JSON. A map is {"$dict": [[key, value], ...]}, whatever its keys are.

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>
#include <vector>

namespace rulegrade {

template <class T> constexpr bool is_text = std::is_convertible_v<T, std::string_view>;

inline void quote(std::string& out, std::string_view text) {
  static const char* DIGITS = "0123456789abcdef";
  out += '"';
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') (out += '\\') += c;
    else if (byte < 0x20) ((out += "\\u00") += DIGITS[byte >> 4]) += DIGITS[byte & 15];
    else out += c;
  }
  out += '"';
}

template <class T> void put_float(std::string& out, T value) {
  if (value != value) {
    out += "NaN";
  } else if (value - value != 0) {
    out += value > 0 ? "Infinity" : "-Infinity";
  } else {
    // The shortest digits that mean this value: 0.1f is 0.1. And never an integer's.
    char digits[64];
    std::string_view written(digits, std::to_chars(digits, digits + sizeof digits, value).ptr - digits);
    out += written;
    if (written.find_first_of(".e") == std::string_view::npos) out += ".0";
  }
}

template <class T> void put(std::string& out, const T& value);

template <class T> void put_items(std::string& out, const T& items) {
  out += '[';
  bool is_first = true;
  for (const typename T::value_type& item : items) {
    if (!is_first) out += ',';
    is_first = false;
    put<typename T::value_type>(out, item);
  }
  out += ']';
}

template <class T> void put_map(std::string& out, const T& map) {
  out += "{\"$dict\":[";
  bool is_first = true;
  for (const auto& [key, value] : map) {
    std::string name;
    put(name, key);
    out += is_first ? "[" : ",[";
    is_first = false;
    if (name[0] == '"') out += name;
    else quote(out, name);
    out += ',';
    put(out, value);
    out += ']';
  }
  out += "]}";
}

template <class T> void put(std::string& out, const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    out += value ? "true" : "false";
  } else if constexpr (std::is_same_v<T, char>) {
    quote(out, std::string_view(&value, 1));
  } else if constexpr (std::is_same_v<T, long double>) {
    put_float(out, static_cast<double>(value));
  } else if constexpr (std::is_floating_point_v<T>) {
    put_float(out, value);
  } else if constexpr (std::is_integral_v<T>) {
    out += std::to_string(value);
  } else if constexpr (std::is_same_v<T, const char*>) {
    if (value) quote(out, value);
    else out += "null";
  } else if constexpr (is_text<T>) {
    quote(out, value);
  } else if constexpr (is_optional<T>::value) {
    if (value.has_value()) put(out, *value);
    else out += "null";
  } else if constexpr (is_parts<T>::value) {
    out += '[';
    bool is_first = true;
    auto put_part = [&](const auto& part) {
      if (!is_first) out += ',';
      is_first = false;
      put(out, part);
    };
    std::apply([&](const auto&... part) { (put_part(part), ...); }, value);
    out += ']';
  } else {
    static_assert(is_container<T>::value, "a result of this type cannot be handed over");
    if constexpr (is_map<T>::value) {
      put_map(out, value);
    } else if constexpr (has_any_order<T>::value) {
      std::vector<typename element<typename T::value_type>::type> items(value.begin(), value.end());
      std::sort(items.begin(), items.end());
      put_items(out, items);
    } else {
      put_items(out, value);
    }
  }
}

}  // namespace rulegrade
