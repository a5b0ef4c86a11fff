<?php
// Serves the functions of a PHP program over the channel. It runs inside the program's own process, so it guards nothing: whatever comes out of this
// process is read as a value, and values are judged elsewhere.

namespace Ruminate;

final class Driver
{
    private const SAFE_INTEGER = 2 ** 53;

    /** @var resource */
    private $channel;

    public function __construct()
    {
        $this->channel = fopen('php://fd/3', 'r+');
        stream_set_read_buffer($this->channel, 0);
        stream_set_write_buffer($this->channel, 0);
    }

    public function receive(): array
    {
        $size = unpack('V', $this->exactly(4))[1];
        return json_decode($this->exactly($size), true, 512, JSON_BIGINT_AS_STRING | JSON_THROW_ON_ERROR);
    }

    private function exactly(int $size): string
    {
        $text = '';
        while (strlen($text) < $size) {
            $part = fread($this->channel, $size - strlen($text));
            if ($part === false || $part === '') {
                exit(0);
            }
            $text .= $part;
        }
        return $text;
    }

    public function send(array $frame): void
    {
        $text = json_encode($frame, JSON_THROW_ON_ERROR | JSON_PRESERVE_ZERO_FRACTION | JSON_INVALID_UTF8_SUBSTITUTE);
        $text = pack('V', strlen($text)) . $text;
        while ($text !== '') {
            $text = substr($text, fwrite($this->channel, $text));
        }
    }

    public function answer(array $frame): array
    {
        try {
            $callable = $this->find($frame['on']);
            if ($callable === null) {
                return ['missing' => $frame['on']];
            }
            $arguments = array_map([$this, 'decode'], $frame['args']);
            return ['ok' => $this->encode($callable(...$arguments))];
        } catch (\Throwable $error) {
            return self::raise($error);
        }
    }

    public static function raise(\Throwable $error): array
    {
        return ['raise' => [get_class($error), 'Exception', $error->getMessage()]];
    }

    private function find(string $name): ?callable
    {
        // Names of PHP itself, such as `count`, may be those of methods.
        if (function_exists($name) && (new \ReflectionFunction($name))->isUserDefined()) {
            return $name;
        }
        if (class_exists('Solution') && method_exists('Solution', $name)) {
            return [new \Solution(), $name];
        }
        return null;
    }

    private function decode($data)
    {
        if (!is_array($data)) {
            return $data;
        }
        if (!isset($data['$'])) {
            return array_map([$this, 'decode'], $data);
        }
        if ($data['$'] === 'int') {
            return filter_var($data['v'], FILTER_VALIDATE_INT) === false ? $data['v'] : (int) $data['v'];
        }
        $pairs = [];
        foreach ($data['v'] as [$key, $value]) {
            $pairs[$key] = $this->decode($value);
        }
        return $pairs;
    }

    private function encode($value)
    {
        if (is_int($value)) {
            return abs($value) < self::SAFE_INTEGER ? $value : ['$' => 'int', 'v' => (string) $value];
        }
        if (is_float($value) && !is_finite($value)) {
            return ['$' => 'float', 'v' => is_nan($value) ? 'nan' : ($value > 0 ? 'inf' : '-inf')];
        }
        if (is_array($value) && array_is_list($value)) {
            return array_map([$this, 'encode'], $value);
        }
        if (is_array($value) || $value instanceof \stdClass) {
            $pairs = [];
            foreach ($value as $key => $item) {
                $pairs[] = [$this->encode($key), $this->encode($item)];
            }
            return ['$' => 'dict', 'v' => $pairs];
        }
        if ($value instanceof \Traversable) {
            return $this->encode(iterator_to_array($value, false));
        }
        return is_object($value) || is_resource($value) ? ['$' => 'object', 'v' => 0, 'type' => get_debug_type($value)] : $value;
    }
}

$driver = new Driver();
try {
    (static function () {
        require __DIR__ . '/program_text.php';
    })();
} catch (\ParseError $error) {
    $driver->send(['syntax' => Driver::raise($error)['raise']]);
    exit(1);
} catch (\Throwable $error) {
    $driver->send(Driver::raise($error));
    exit(1);
}
$driver->send(['names' => [], 'errors' => new \stdClass()]);
while (true) {
    $driver->send($driver->answer($driver->receive()));
}
