using System.Text;
using Layerbox.Cmd;

namespace Layerbox.Tests;

/// <summary>Runs a tool in this process with memory for its streams.</summary>
internal static class Tools
{
    public static Result Run(params string[] args) => RunWithInput([], args);

    public static Result RunWithInput(byte[] input, params string[] args)
    {
        using MemoryStream output = new();
        using StringWriter errors = new();
        int status = Dispatcher.Run(Dispatcher.Self, args, new Streams(new MemoryStream(input), output, errors));
        return new Result(status, output.ToArray(), errors.ToString());
    }

    internal sealed record Result(int Status, byte[] Bytes, string Err)
    {
        public string Out => Encoding.UTF8.GetString(Bytes);
        public string FirstErrorLine => Err.Split('\n')[0];

        public Result AssertSucceeded()
        {
            Assert.True(Status == 0, $"exit status {Status}: {Err}");
            return this;
        }
    }
}
