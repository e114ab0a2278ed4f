#pragma once

#include <array>
#include <string_view>

namespace lepton::openvino {

// Operations that compute each element of their output from one element of each input, and refuse
// no value. The inputs' axes are aligned at the end, and repeated where they have extent 1.
inline constexpr std::array<std::string_view, 59> kElementwise{
    "Abs",          "Acos",       "Acosh",        "Add",
    "Asin",         "Asinh",      "Atan",         "Atanh",
    "Ceiling",      "Cos",        "Cosh",         "Divide",
    "Elu",          "Equal",      "Erf",          "Exp",
    "Floor",        "FloorMod",   "Gelu",         "Greater",
    "GreaterEqual", "HSigmoid",   "HSwish",       "Identity",
    "IsFinite",     "IsInf",      "IsNaN",        "Less",
    "LessEqual",    "Log",        "LogicalAnd",   "LogicalNot",
    "LogicalOr",    "LogicalXor", "Maximum",      "Minimum",
    "Mish",         "Mod",        "Multiply",     "Negative",
    "NotEqual",     "Power",      "Relu",         "Select",
    "Sigmoid",      "Sign",       "Sin",          "Sinh",
    "SoftPlus",     "SoftSign",   "Sqrt",         "SquaredDifference",
    "Subtract",     "Tan",        "Tanh",         "Round",
    "Clamp",        "Convert",    "FakeQuantize",
};

}  // namespace lepton::openvino
