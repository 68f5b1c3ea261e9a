// The submission's box: answers the judge's calls, one at a time, until the channel closes.
//
// All of this is at the mercy of the submission, which stands in the same file. It can send what
// it likes; what arrives is data to the judge.

#include <memory>

namespace rulegrade {

std::vector<std::shared_ptr<void>> objects;

template <class T> T& object(Reader& in) { return *static_cast<T*>(objects.at(in.number<std::uint32_t>()).get()); }

template <class T> void keep(Writer& out, std::shared_ptr<T> made) {
  out.number(static_cast<std::uint32_t>(objects.size()));
  objects.push_back(std::move(made));
}

void answer(std::uint32_t function, Reader& in, Writer& out);

inline Kind kind_of(const std::exception& error) {
  // The derived ones first.
  if (dynamic_cast<const std::domain_error*>(&error)) return DOMAIN_ERROR;
  if (dynamic_cast<const std::invalid_argument*>(&error)) return INVALID_ARGUMENT;
  if (dynamic_cast<const std::length_error*>(&error)) return LENGTH_ERROR;
  if (dynamic_cast<const std::out_of_range*>(&error)) return OUT_OF_RANGE;
  if (dynamic_cast<const std::logic_error*>(&error)) return LOGIC_ERROR;
  if (dynamic_cast<const std::range_error*>(&error)) return RANGE_ERROR;
  if (dynamic_cast<const std::overflow_error*>(&error)) return OVERFLOW_ERROR;
  if (dynamic_cast<const std::underflow_error*>(&error)) return UNDERFLOW_ERROR;
  if (dynamic_cast<const std::runtime_error*>(&error)) return RUNTIME_ERROR;
  if (dynamic_cast<const std::bad_alloc*>(&error)) return BAD_ALLOC;
  return EXCEPTION;
}

inline Writer raised(std::uint64_t nonce, Kind kind, const std::string& message) {
  Writer out;
  out.number(nonce);
  out.number<std::uint8_t>(kind);
  put(out, message.substr(0, 10000));
  return out;
}

inline Writer reply(Reader& in) {
  auto nonce = in.number<std::uint64_t>();
  try {
    Writer out;
    out.number(nonce);
    out.number<std::uint8_t>(RETURNED);
    answer(in.number<std::uint32_t>(), in, out);
    return out;
  } catch (const std::exception& error) {
    return raised(nonce, kind_of(error), error.what());
  } catch (...) {
    return raised(nonce, UNKNOWN, "something that is no std::exception");
  }
}

}  // namespace rulegrade

int main() {
  rulegrade::Reader request;
  while (rulegrade::receive_frame(request)) rulegrade::send_frame(rulegrade::reply(request));
  ::_exit(0);
}
