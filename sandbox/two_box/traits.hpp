// What kind of container a type is: told by what it can do, so that none has to be included.

#include <tuple>
#include <type_traits>
#include <utility>

namespace rulegrade {

template <class T, class = void> struct is_parts : std::false_type {};
template <class T> struct is_parts<T, std::void_t<decltype(std::tuple_size<T>::value)>> : std::true_type {};
template <class T, class = void> struct is_optional : std::false_type {};
template <class T> struct is_optional<T, std::void_t<decltype(std::declval<T>().has_value())>> : std::true_type {};
template <class T, class = void> struct grows_at_end : std::false_type {};
template <class T>
struct grows_at_end<T, std::void_t<decltype(std::declval<T&>().push_back(std::declval<typename T::value_type>()))>>
    : std::true_type {};
template <class T, class = void> struct is_map : std::false_type {};
template <class T>
struct is_map<T, std::void_t<decltype(std::declval<T&>()[std::declval<typename T::key_type>()])>> : std::true_type {};
template <class T, class = void> struct has_any_order : std::false_type {};
template <class T> struct has_any_order<T, std::void_t<typename T::hasher>> : std::true_type {};
template <class T, class = void> struct is_container : std::false_type {};
template <class T>
struct is_container<T, std::void_t<typename T::value_type, decltype(std::declval<const T&>().begin())>> : std::true_type {};

// What can be read of a map before it is put into one.
template <class T> struct element { using type = T; };
template <class K, class V> struct element<std::pair<const K, V>> { using type = std::pair<K, V>; };

}  // namespace rulegrade
