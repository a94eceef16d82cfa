// SPDX-License-Identifier: Apache-2.0
/// \file
/// Boot words of the kernel command line: docs/formats/boot-parameters.md. Pure.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace core::format {

struct BootParams {
  std::vector<std::string> servers;  ///< base URLs, each ending in '/'
  std::string node, cluster;         ///< empty if absent
  std::uint64_t generation = 0;
  std::string root;                  ///< 64 hex digits
  std::string token;
  std::string ip;                    ///< value of stateless.ip= or ip=, unparsed
  std::string bootif;                ///< aa:bb:.., lower case, or empty
  std::vector<std::string> other;    ///< every word that is no boot word, in order
  bool operator==(const BootParams&) const = default;
};

/// Splits a command line at white space, double quotes grouping as in the kernel (quotes stay in the words).
std::vector<std::string> split_command_line(std::string_view line);
bool is_boot_word(std::string_view word);
/// \throws core::Error of kind parse naming the word.
BootParams parse_boot_params(std::string_view command_line);
/// The boot words of `params` in the order of the document, without `other`.
std::string print_boot_words(const BootParams& params);

}  // namespace core::format
